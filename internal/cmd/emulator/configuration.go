package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

type configuration struct {
	listen   string
	logLevel hclog.Level
	options  emulator.Options
}

// parseConfiguration reads the flags. If they ask for help, that goes to output, and the error is [flag.ErrHelp].
func parseConfiguration(args []string, output io.Writer) (configuration, error) {
	c := configuration{options: emulator.Options{NoRequestLog: true}}
	options, faults := &c.options, &c.options.Faults
	var logLevel, subject string
	var issuers []string
	var error5xx float64

	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	// Mistakes are returned, and printed once.
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "`address` to listen on; port 0 picks a free one")
	flags.StringVar(&options.AccessToken, "token", "",
		"access `token` that requests must carry (default "+tokenVariable+", else a random one)")
	flags.DurationVar(&options.Latency, "latency", 0, "`time` added to every request, such as 50ms")
	flags.StringVar(&options.DataFile, "data", "", "`file` that keeps the state (default none: in memory)")
	flags.Func("organization", "`name` of an organization, or several with commas; may be repeated; the first is the "+
		"user's default (default acme)", func(value string) error {
		for name := range strings.SplitSeq(value, ",") {
			if name == "" {
				return errors.New("empty name")
			}
			options.Organizations = append(options.Organizations, name)
		}
		return nil
	})
	flags.Func("oidc-issuer", "`URL` of an OpenID Connect issuer whose ID tokens can be exchanged for access tokens of any "+
		"type and organization, admin included; may be repeated", func(value string) error {
		issuers = append(issuers, value)
		return nil
	})
	flags.StringVar(&subject, "oidc-subject", "*",
		"`pattern` of the subjects whose ID tokens can be exchanged, in which * stands for any text")
	flags.BoolVar(&options.Milliseconds, "milliseconds", false, "timestamps count milliseconds instead of seconds")
	flags.BoolVar(&options.Lenient, "lenient", false,
		"supply the headers that a bare curl leaves out, instead of refusing the request")
	flags.BoolVar(&options.SkipResponseValidation, "skip-response-validation", false,
		"leave answers unchecked, for benchmarks")
	flags.StringVar(&logLevel, "log-level", "info", "trace, debug, info, warn, error or off")

	flags.Float64Var(&faults.TooManyRequests, "fault-429", 0, "`rate`, 0 to 1, of requests answered with 429")
	flags.Float64Var(&error5xx, "fault-5xx", 0, "`rate` of requests answered with 500 or 503, without effect")
	flags.Float64Var(&faults.Error500After, "fault-500-after", 0,
		"`rate` of requests that take effect and are answered with 500")
	flags.Float64Var(&faults.Drop, "fault-drop", 0, "`rate` of connections dropped, without effect")
	flags.Float64Var(&faults.DropAfter, "fault-drop-after", 0,
		"`rate` of connections dropped after the request took effect")
	flags.Float64Var(&faults.Hang, "fault-hang", 0, "`rate` of requests never answered, without effect")
	flags.Float64Var(&faults.Truncate, "fault-truncate", 0,
		"`rate` of answers cut off in the middle, after the request took effect")
	flags.DurationVar(&faults.RetryAfter, "fault-retry-after", time.Second,
		"`time`, in whole seconds, in the Retry-After of 429 and 503; 0 leaves it out")
	flags.Uint64Var(&options.Seed, "seed", 0, "`number` that makes the faults repeatable (default random, and logged)")

	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(output)
			flags.Usage()
		}
		return configuration{}, err
	}
	if flags.NArg() > 0 {
		return configuration{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for _, issuer := range issuers {
		options.TrustPolicies = append(options.TrustPolicies, emulator.TrustPolicy{
			Organization: "*",
			Issuer:       issuer,
			Subject:      subject,
			TokenTypes: []emulator.TokenType{
				emulator.TokenTypeOrganization, emulator.TokenTypeTeam,
				emulator.TokenTypePersonal, emulator.TokenTypeRunner,
			},
			Names:      []string{"*"},
			AllowAdmin: true,
		})
	}
	faults.Error500, faults.Error503 = error5xx/2, error5xx/2
	if c.logLevel = hclog.LevelFromString(logLevel); c.logLevel == hclog.NoLevel {
		return configuration{}, fmt.Errorf("unknown log level %q", logLevel)
	}
	return c, nil
}
