package chaos_test

import (
	"io"
	"log" //nolint:depguard // It is silenced, not used.
	"os"
	"testing"
)

// TestMain keeps whoever runs the tests out of them, and makes the provider log all that it can.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "pulumi-home-")
	if err != nil {
		panic(err)
	}
	for name, value := range map[string]string{
		"PULUMI_HOME": home, "PULUMI_CREDENTIALS_PATH": "", "PULUMI_ACCESS_TOKEN": "", "PULUMI_BACKEND_URL": "",
		"PULUMI_DEFAULT_ORGANIZATION": "", "TF_LOG": "TRACE",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	// As the provider's main does. That it does, [TestInterruptedCLI] shows.
	log.SetOutput(io.Discard)
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}
