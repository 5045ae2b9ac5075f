package provider

import (
	"context"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// httpSubsystem is the name under which requests appear in Terraform's log. TF_LOG_PROVIDER_PULUMICLOUD_HTTP narrows
// what TF_LOG or TF_LOG_PROVIDER lets through of it.
const httpSubsystem = "http"

// httpLogger returns a logger that writes to Terraform's own log.
func httpLogger(ctx context.Context) hclog.Logger {
	level := httpLogLevel()
	if level == hclog.Off {
		return hclog.NewNullLogger()
	}
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: level, Output: io.Discard})
	logger.RegisterSink(tflogSink{
		level: level,
		ctx:   tflog.NewSubsystem(ctx, httpSubsystem, tflog.WithLevelFromEnv("TF_LOG_PROVIDER_PULUMICLOUD", httpSubsystem)),
	})
	return logger
}

// httpLogLevel is the level that the user asked for, from the most to the least specific variable. Terraform filters
// by itself, so this only spares the work of writing what it would drop.
func httpLogLevel() hclog.Level {
	for _, name := range []string{
		"TF_LOG_PROVIDER_PULUMICLOUD_HTTP", "TF_LOG_PROVIDER_PULUMICLOUD", "TF_LOG_PROVIDER", "TF_LOG",
	} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if level := hclog.LevelFromString(value); level != hclog.NoLevel {
			return level
		}
		return hclog.Trace // As Terraform takes "json", "1" and whatever else is no level.
	}
	return hclog.Off
}

// tflogSink passes on what the client logs at its level or above: an intercept logger shows its sinks everything.
type tflogSink struct {
	level hclog.Level
	ctx   context.Context //nolint:containedctx // tflog's logger is in the context.
}

// Accept implements [hclog.SinkAdapter].
func (s tflogSink) Accept(_ string, level hclog.Level, message string, arguments ...any) {
	if level < s.level {
		return
	}
	fields := make(map[string]any, len(arguments)/2)
	for i := 0; i+1 < len(arguments); i += 2 {
		if key, ok := arguments[i].(string); ok {
			fields[key] = arguments[i+1]
		}
	}
	switch level {
	case hclog.Trace:
		tflog.SubsystemTrace(s.ctx, httpSubsystem, message, fields)
	case hclog.Debug:
		tflog.SubsystemDebug(s.ctx, httpSubsystem, message, fields)
	case hclog.Info:
		tflog.SubsystemInfo(s.ctx, httpSubsystem, message, fields)
	case hclog.Warn:
		tflog.SubsystemWarn(s.ctx, httpSubsystem, message, fields)
	default:
		tflog.SubsystemError(s.ctx, httpSubsystem, message, fields)
	}
}
