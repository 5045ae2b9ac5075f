package terraformcli_test

import (
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/terraformcli"
)

func TestEnvironment(t *testing.T) {
	for _, name := range []string{"TF_WORKSPACE", "TF_VAR_teams", "TOFU_CLI_ARGS", "PULUMI_API", "PULUMI_ACCESS_TOKEN"} {
		t.Setenv(name, "the user's")
	}
	t.Setenv("HOME", "/home/somebody")
	environment := terraformcli.Environment(map[string]string{"PULUMI_ACCESS_TOKEN": "secret", "LANG": "C"})
	for name, want := range map[string]string{
		"HOME": "/home/somebody", "PULUMI_ACCESS_TOKEN": "secret", "LANG": "C",
		"TF_WORKSPACE": "", "TF_VAR_teams": "", "TOFU_CLI_ARGS": "", "PULUMI_API": "",
	} {
		if got, there := environment[name]; got != want || there != (want != "") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
