// Command emulator serves the parts of Pulumi Cloud's API that concern agent pools on loopback, to try configurations
// and modules without an account:
//
//	go run ./internal/cmd/emulator
//
// It prints the environment variables that point Terraform, OpenTofu or Pulumi at it, ready to be pasted into a shell.
// Everything is in memory and lost when the command ends. The flag -h lists all flags.
//
// Some operations simulate agents (runners). They need the same access token, except for the first:
//
//	GET    /emulator/health
//	POST   /emulator/orgs/{org}/agent-pools/{poolId}/agents             {"hostname":"runner-1"}
//	DELETE /emulator/orgs/{org}/agent-pools/{poolId}/agents/{hostname}
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// shutdownTimeout is how long requests may take when the command is told to end.
const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "emulator:", err)
		os.Exit(1)
	}
}

// config holds the values of the flags.
type config struct {
	listen   string
	logLevel hclog.Level
	options  emulator.Options
}

// parseFlags returns [flag.ErrHelp] after it has written the usage to output.
func parseFlags(args []string, output io.Writer) (config, error) {
	c := config{options: emulator.Options{
		AccessToken: emulator.NewAccessToken(), Seed: rand.Uint64(), Faults: make(emulator.Faults), NoRequestLog: true,
	}}
	options := &c.options
	var issuers, subjects []string

	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // The caller prints errors.
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "`address` to listen on; port 0 selects a free port")
	flags.Func("token", "access `token` that requests must have (default a random one)", func(value string) error {
		options.AccessToken = value
		return nil
	})
	flags.Func("organization", "comma-separated `names` of organizations; the first is the default (default acme)",
		func(value string) error {
			options.Organizations = append(options.Organizations, strings.Split(value, ",")...)
			return nil
		})
	flags.Func("oidc-issuer", "`URL` of an OpenID Connect issuer whose ID tokens can be exchanged for any access token; "+
		"can be repeated", func(value string) error {
		if u, err := url.Parse(value); err != nil || u.Host == "" {
			return errors.New("set a URL, such as https://token.actions.githubusercontent.com")
		}
		issuers = append(issuers, value)
		return nil
	})
	flags.Func("oidc-subject", "`pattern` of subjects of ID tokens, in which * matches any text, ? zero or one character and . one "+
		"character; can be repeated (default *)", func(value string) error {
		subjects = append(subjects, value)
		return nil
	})
	flags.DurationVar(&options.MaxTokenLifetime, "max-token-lifetime", 0,
		"maximum `lifetime` of exchanged access tokens (default 25h)")
	flags.BoolVar(&options.Milliseconds, "milliseconds", false, "return times in milliseconds instead of seconds")
	flags.DurationVar(&options.Latency, "latency", 0, "`time` to add to every request, such as 50ms")
	flags.IntVar(&options.RateLimit, "rate-limit", 0, "maximum `number` of requests per second, before 429 (default none)")
	flags.Func("mode", fmt.Sprintf("`mode` of the account; can be repeated; one of %s", list(emulator.Modes())),
		func(value string) error {
			options.Modes = append(options.Modes, emulator.Mode(value))
			return nil
		})
	flags.Func("fault", fmt.Sprintf("`name=rate` of requests that fail, with a rate from 0 to 1; can be repeated; the "+
		"names are %s", list(emulator.FaultNames())), func(value string) error {
		name, text, _ := strings.Cut(value, "=")
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("set a name and a rate, such as 503=0.5")
		}
		options.Faults[name] = rate
		return nil
	})
	flags.Uint64Var(&options.Seed, "seed", options.Seed, "`number` that repeats the faults of a run (default a random one)")
	logLevel := flags.String("log-level", "info", "trace, debug, info, warn, error or off")

	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(output)
			flags.Usage()
		}
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.logLevel = hclog.LevelFromString(*logLevel); c.logLevel == hclog.NoLevel {
		return config{}, fmt.Errorf("unknown log level %q", *logLevel)
	}
	if len(subjects) == 0 {
		subjects = []string{"*"}
	}
	for _, issuer := range issuers {
		for _, subject := range subjects {
			options.TrustPolicies = append(options.TrustPolicies, emulator.TrustPolicy{
				Organization: "*", Issuer: issuer, Subject: subject, Names: []string{"*"}, AllowAdmin: true,
				TokenTypes: []emulator.TokenType{
					emulator.TokenTypeOrganization, emulator.TokenTypeTeam, emulator.TokenTypePersonal, emulator.TokenTypeRunner,
				},
			})
		}
	}
	return c, nil
}

func list[T ~string](names []T) string { return strings.Trim(fmt.Sprint(names), "[]") }

// run serves until ctx is done. It writes the lines for a shell to stdout and the log to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "emulator", Level: c.logLevel, Output: stderr})
	c.options.Logger = logger
	server, err := emulator.New(c.options)
	if err != nil {
		return err
	}
	var listenConfig net.ListenConfig
	listener, err := listenConfig.Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("%w; select a different port with -listen, such as -listen 127.0.0.1:0", err)
	}
	address := netip.MustParseAddrPort(listener.Addr().String())
	host := address.String()
	if address.Addr().IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", address.Port())
	}
	if !address.Addr().IsLoopback() {
		logger.Warn("other machines can connect, and connections are not encrypted", "address", address)
	}
	logger.Info("listening", "address", address, "seed", c.options.Seed)
	if _, err := fmt.Fprintf(stdout, "export PULUMI_BACKEND_URL=http://%s\nexport PULUMI_ACCESS_TOKEN=%s\n",
		host, c.options.AccessToken); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, listener, &http.Server{
		Handler:           server,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	})
}

// serve returns without an error when ctx is done.
func serve(ctx context.Context, listener net.Listener, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close() // The remaining requests suffer a fault that never ends.
	}
	return nil
}
