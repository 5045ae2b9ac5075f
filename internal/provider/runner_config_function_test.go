package provider_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
	yaml "github.com/oasdiff/yaml3"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// runnerConfig calls the function without a CLI.
func runnerConfig(t *testing.T, config tftypes.Value) (string, *tfprotov6.FunctionError) {
	t.Helper()
	argument, err := tfprotov6.NewDynamicValue(tftypes.DynamicPseudoType, config)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newUnconfiguredCore(t).server.CallFunction(t.Context(), &tfprotov6.CallFunctionRequest{
		Name: "runner_config", Arguments: []*tfprotov6.DynamicValue{&argument},
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Error != nil {
		return "", resp.Error
	}
	result, err := resp.Result.Unmarshal(tftypes.String)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	if err := result.As(&text); err != nil {
		t.Fatal(err)
	}
	return text, nil
}

// runnerObject is an object whose values are strings, but for those that are values already.
func runnerObject(values map[string]any) tftypes.Value {
	types, encoded := map[string]tftypes.Type{}, map[string]tftypes.Value{}
	for key, value := range values {
		given, ok := value.(tftypes.Value)
		if !ok {
			given = tftypes.NewValue(tftypes.String, value)
		}
		types[key], encoded[key] = given.Type(), given
	}
	return tftypes.NewValue(tftypes.Object{AttributeTypes: types}, encoded)
}

func TestRunnerConfig(t *testing.T) {
	t.Parallel()
	oidc := map[string]any{
		"oidc_token_file": "/var/run/token", "organization_name": "acme", "runner_pool_id": unknownPoolID,
	}
	for name, test := range map[string]struct {
		given map[string]any
		want  map[string]any
	}{
		"token": {given: map[string]any{"token": accessToken}},
		"oidc":  {given: oidc},
		"token and more": {given: map[string]any{
			"token": accessToken, "organization_name": "acme", "runner_pool_id": unknownPoolID,
			"service_url": "https://pulumi.example.com:8443/base", "deploy_target": "kubernetes",
		}},
		"nulls": {
			given: map[string]any{"token": accessToken, "oidc_token_file": nil, "service_url": nil, "deploy_target": nil},
			want:  map[string]any{"token": accessToken},
		},
		"null of any type": {
			given: map[string]any{"token": accessToken, "service_url": tftypes.NewValue(tftypes.DynamicPseudoType, nil)},
			want:  map[string]any{"token": accessToken},
		},
		"what YAML would misread": {given: map[string]any{
			"token": "on # \"quoted\"\n: {a: b} 'and' \\ <more> & \u2028 \u0007 🏃 %{x}", "organization_name": "0x1F",
			"runner_pool_id": "null",
			"deploy_target":  "docker",
		}},
		"what looks like a number": {given: map[string]any{"token": "1e3", "organization_name": "yes", "runner_pool_id": "~"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, failure := runnerConfig(t, runnerObject(test.given))
			if failure != nil {
				t.Fatal(failure.Text)
			}
			var got map[string]any
			if err := yaml.Unmarshal([]byte(file), &got); err != nil {
				t.Fatalf("%v in:\n%s", err, file)
			}
			want := test.want
			if want == nil {
				want = test.given
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("read back (-want +got):\n%s\nfrom:\n%s", diff, file)
			}
			if lines := strings.Count(file, "\n"); lines != len(want) || !strings.HasSuffix(file, "\n") {
				t.Errorf("%d lines for %d keys:\n%s", lines, len(want), file)
			}
		})
	}
	t.Run("map", func(t *testing.T) {
		t.Parallel()
		file, failure := runnerConfig(t, tftypes.NewValue(tftypes.Map{ElementType: tftypes.String}, map[string]tftypes.Value{
			"token": tftypes.NewValue(tftypes.String, accessToken), "deploy_target": tftypes.NewValue(tftypes.String, "ecs"),
		}))
		if failure != nil || file != "token: \""+accessToken+"\"\ndeploy_target: \"ecs\"\n" {
			t.Errorf("got %q, %v", file, failure)
		}
	})
}

func TestRunnerConfig_argumentErrors(t *testing.T) {
	t.Parallel()
	const secret = "the-secret-token"
	with := func(more map[string]any) tftypes.Value {
		all := map[string]any{"token": secret}
		maps.Copy(all, more)
		return runnerObject(all)
	}
	boolean := tftypes.NewValue(tftypes.Bool, true)
	for name, test := range map[string]struct {
		config tftypes.Value
		texts  []string
	}{
		"no object": {tftypes.NewValue(tftypes.String, secret), []string{"must be an object"}},
		"a list": {
			tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, []tftypes.Value{tftypes.NewValue(tftypes.String, secret)}),
			[]string{"must be an object"},
		},
		"nothing":             {runnerObject(nil), []string{"neither token nor oidc_token_file"}},
		"an imported pool's":  {with(map[string]any{"token": nil}), []string{"neither token nor oidc_token_file", "imported"}},
		"an unknown key":      {with(map[string]any{"tokne": "x"}), []string{`"tokne" is not a key`, "oidc_token_file"}},
		"an unknown null key": {with(map[string]any{"tokne": nil}), []string{`"tokne" is not a key`}},
		"another type":        {with(map[string]any{"organization_name": boolean}), []string{"organization_name must be a string"}},
		"an empty token":      {with(map[string]any{"token": " "}), []string{"token is empty"}},
		"an empty URL":        {with(map[string]any{"service_url": ""}), []string{"service_url is empty"}},
		"another target":      {with(map[string]any{"deploy_target": "nomad"}), []string{"deploy_target must be", "kubernetes"}},
		"no URL":              {with(map[string]any{"service_url": "pulumi.example.com"}), []string{"service_url must be"}},
		"another scheme":      {with(map[string]any{"service_url": "ftp://pulumi.example.com"}), []string{"service_url must be"}},
		"both ways":           {with(map[string]any{"oidc_token_file": "/token"}), []string{"two ways"}},
		"no organization": {
			runnerObject(map[string]any{"oidc_token_file": "/" + secret, "runner_pool_id": "x"}), []string{"also needs organization_name"},
		},
		"a file alone": {
			runnerObject(map[string]any{"oidc_token_file": "/" + secret}), []string{"organization_name and runner_pool_id"},
		},
		"a token of another type": {
			runnerObject(map[string]any{"token": tftypes.NewValue(tftypes.Object{AttributeTypes: map[string]tftypes.Type{
				"value": tftypes.String,
			}}, map[string]tftypes.Value{"value": tftypes.NewValue(tftypes.String, secret)})}), []string{"token must be a string"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, failure := runnerConfig(t, test.config)
			if failure == nil {
				t.Fatal("no error")
			}
			if failure.FunctionArgument == nil || *failure.FunctionArgument != 0 {
				t.Errorf("the error is not the argument's: %v", failure.FunctionArgument)
			}
			for _, text := range test.texts {
				if !strings.Contains(failure.Text, text) {
					t.Errorf("%q is not in %q", text, failure.Text)
				}
			}
			if strings.Contains(failure.Text, secret) {
				t.Error("the error shows the token")
			}
		})
	}
}

// needsFunctions skips where the CLI has no functions of providers.
func needsFunctions(t *testing.T) {
	t.Helper()
	skipUnlessCLI(t, "functions of providers", tfversion.Version1_8_0, version.Must(version.NewVersion("1.7.0")))
}

func TestRunnerConfig_throughTheCLI(t *testing.T) {
	t.Parallel()
	needsFunctions(t)
	pulumi := startPulumiCloud(t, emulator.Options{})
	config := func(output string) string {
		return pulumi.config(`organization = "acme"`, poolBlock(`name = "runners"`)+`
output "secret" {
  value     = provider::pulumicloud::runner_config({ token = pulumicloud_agent_pool.test.token, deploy_target = "docker" })
  sensitive = true
}

output "oidc" {
  value = provider::pulumicloud::runner_config({
    oidc_token_file   = "/var/run/token"
    organization_name = pulumicloud_agent_pool.test.organization
    runner_pool_id    = pulumicloud_agent_pool.test.id
    token             = null
  })
}
`+output)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: factories(),
		Steps: []resource.TestStep{
			{ // The pool's token is not known before it is made.
				Config: config(""),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownOutputValue("secret",
						knownvalue.StringRegexp(regexp.MustCompile(`^token: "pul-[0-9a-f]{40}"\ndeploy_target: "docker"\n$`))),
					statecheck.ExpectKnownOutputValue("oidc",
						knownvalue.StringRegexp(regexp.MustCompile(`^oidc_token_file: "/var/run/token"\n`+
							`organization_name: "acme"\nrunner_pool_id: "[0-9a-f-]{36}"\n$`))),
				},
			},
			{
				Config: config(`
output "open" {
  value = provider::pulumicloud::runner_config({ token = pulumicloud_agent_pool.test.token })
}`),
				ExpectError: message("Output refers to sensitive values"),
			},
			{
				Config: config(`
output "wrong" {
  value = provider::pulumicloud::runner_config({ token = "t", deploy_target = "nomad" })
}`),
				ExpectError: message(`deploy_target must be "docker", "kubernetes" or "ecs"`),
			},
			{
				Config:      config(`output "nothing" { value = provider::pulumicloud::runner_config(null) }`),
				ExpectError: message("argument must not be null"),
			},
			{Config: config("")}, // can be destroyed
		},
	})
}

// The token of a pool is in no error of the function's, even where the CLI quotes arguments.
func TestRunnerConfig_errorsThroughTheCLI(t *testing.T) {
	t.Parallel()
	needsFunctions(t)
	const secret = "pul-1111111111111111111111111111111111111111"
	w := newWorkspace(t, `
variable "token" {
  type      = string
  sensitive = true
}

output "test" {
  value     = provider::pulumicloud::runner_config({ token = var.token, deploy_target = "nomad" })
  sensitive = true
}
`, "TF_VAR_token="+secret, "PULUMI_ACCESS_TOKEN="+accessToken)
	w.mustRun(t, "init")
	status, output := w.run(t, "plan")
	if status == 0 || !strings.Contains(output, "deploy_target must be") {
		t.Errorf("exit status %d:\n%s", status, output)
	}
	if strings.Contains(output, secret) {
		t.Error("the error shows the token")
	}
}
