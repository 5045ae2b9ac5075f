package provider

import (
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// isolateLogging removes the log settings of the process from a test.
func isolateLogging(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "TF_LOG") {
			t.Setenv(name, "")
		}
	}
}

func TestHTTPLogLevel(t *testing.T) {
	const provider, requests = "TF_LOG_PROVIDER_PULUMICLOUD", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP"
	for name, test := range map[string]struct {
		env  map[string]string
		want hclog.Level
	}{
		"default":       {nil, hclog.Off},
		"all":           {map[string]string{"TF_LOG": "WARN"}, hclog.Warn},
		"JSON":          {map[string]string{"TF_LOG": "JSON"}, hclog.Trace},
		"this provider": {map[string]string{"TF_LOG_PROVIDER": "INFO", provider: "DEBUG"}, hclog.Debug},
		"requests":      {map[string]string{provider: "TRACE", requests: "ERROR"}, hclog.Error},
	} {
		t.Run(name, func(t *testing.T) {
			isolateLogging(t)
			for variable, level := range test.env {
				t.Setenv(variable, level)
			}
			if got := httpLogLevel(); got != test.want {
				t.Errorf("level %s, want %s", got, test.want)
			}
		})
	}
}

func TestDisableUnusedLogging(t *testing.T) {
	const sdk, own = "TF_LOG_SDK", "TF_LOG_PROVIDER_PULUMICLOUD"
	for value, want := range map[string]string{"": "OFF", "WARN": ""} {
		isolateLogging(t)
		t.Setenv(sdk, "")
		t.Setenv(own, "")
		t.Setenv("TF_LOG_PROVIDER", value)
		disableUnusedLogging()
		if os.Getenv(sdk) != want || os.Getenv(own) != want {
			t.Errorf("TF_LOG_PROVIDER=%s: levels %q and %q, want %q", value, os.Getenv(sdk), os.Getenv(own), want)
		}
	}
}
