package chaos_test

import (
	"io"
	"log" //nolint:depguard // It is silenced, not used.
	"os"
	"testing"
)

// TestMain keeps the user's settings out of the tests, and makes the provider log everything.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"PULUMI_HOME": "/nonexistent", "PULUMI_CREDENTIALS_PATH": "", "PULUMI_ACCESS_TOKEN": "", "PULUMI_BACKEND_URL": "",
		"PULUMI_API": "", "PULUMI_DEFAULT_ORGANIZATION": "", "TF_LOG": "TRACE",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	// The provider's main function does the same. See [TestAccInterruptedApply_signals].
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}
