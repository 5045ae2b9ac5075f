package provider

import (
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// newHTTPLogger returns the logger for requests. It writes the format that Terraform expects on standard error, like
// terraform-plugin-log, which needs the context of each call.
func newHTTPLogger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "provider.http", Level: httpLogLevel(), Output: os.Stderr, JSONFormat: true,
	})
}

// httpLogLevel returns the level from the most to the least specific variable. Terraform filters by itself, so that
// this only saves the time for lines that it would discard.
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
		return hclog.Trace // Terraform treats every other value, such as "json" or "1", in the same way.
	}
	return hclog.Off
}

// disableUnusedLogging turns logging off if no variable requests it. The plugin libraries would write every call in
// detail for the CLI to discard, which takes a quarter of the processor time of a large plan.
func disableUnusedLogging() {
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TF_LOG") && value != "" {
			return
		}
	}
	for _, name := range []string{"TF_LOG_SDK", "TF_LOG_PROVIDER_PULUMICLOUD"} {
		_ = os.Setenv(name, "OFF")
	}
}
