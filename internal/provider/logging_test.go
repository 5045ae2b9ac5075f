package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// The log of the client reaches the log of the CLI that started the provider.
func TestAccLogging(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	w := newWorkspace(t, `
data "pulumicloud_agent_pools" "all" {
  organization = "acme"
}`, "PULUMI_BACKEND_URL="+cloud.url, "PULUMI_ACCESS_TOKEN="+accessToken)
	const configured, response, body = ": configured: ", ": sent request: ", " response="
	for name, test := range map[string]struct {
		env  []string
		want []string
	}{
		"default":           {nil, nil},
		"debug":             {[]string{"TF_LOG_PROVIDER=DEBUG"}, []string{configured, response}},
		"trace":             {[]string{"TF_LOG=TRACE"}, []string{configured, response, body}},
		"less for requests": {[]string{"TF_LOG=TRACE", "TF_LOG_PROVIDER_PULUMICLOUD_HTTP=DEBUG"}, []string{configured, response}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := *w
			w.Env = append(slices.Clip(w.Env), test.env...)
			output := w.MustRun(t, "plan", "-lock=false")
			for _, line := range []string{configured, response, body} {
				if got, want := strings.Contains(output, line), slices.Contains(test.want, line); got != want {
					t.Errorf("log has %q: %t, want %t", line, got, want)
				}
			}
			if len(test.want) > 0 && !strings.Contains(output, "access_token_source=PULUMI_ACCESS_TOKEN") {
				t.Error("the log lacks the source of the access token")
			}
		})
	}
}
