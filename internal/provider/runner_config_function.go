package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// runnerConfigFunction renders the configuration file of a runner.
type runnerConfigFunction struct{}

func newRunnerConfigFunction() function.Function { return runnerConfigFunction{} }

// runnerConfigKeys are the keys of a runner's configuration in the order in which they are written.
var runnerConfigKeys = []string{
	"token", "oidc_token_file", "organization_name", "runner_pool_id", "service_url", "deploy_target",
}

// Metadata implements [function.Function].
func (runnerConfigFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "runner_config"
}

// Definition implements [function.Function].
func (runnerConfigFunction) Definition(
	_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse,
) {
	resp.Definition = function.Definition{
		Summary: "Renders pulumi-workflow-agent.yaml, a runner's configuration",
		MarkdownDescription: "Renders a runner's configuration file, `pulumi-workflow-agent.yaml`, for a Secret, a machine's user " +
			"data or a Compose file. It has either the pool's `token`, or `oidc_token_file`, `organization_name` and " +
			"`runner_pool_id` for a runner that authenticates with an ID token of its own. `service_url` is for a self-hosted " +
			"Pulumi Cloud; `deploy_target` is `docker`, `kubernetes` or `ecs`. Keys that are null are left out. The result is " +
			"sensitive if a value is.",
		Parameters: []function.Parameter{
			function.DynamicParameter{
				Name: "config",
				MarkdownDescription: "Object with some of the keys `" + strings.Join(runnerConfigKeys, "`, `") + "`, whose values are " +
					"strings.",
			},
		},
		Return: function.StringReturn{},
	}
}

// Run implements [function.Function].
func (runnerConfigFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var config types.Dynamic
	if resp.Error = req.Arguments.Get(ctx, &config); resp.Error != nil {
		return
	}
	values, problem := runnerConfigValues(config.UnderlyingValue())
	if problem == "" {
		problem = checkRunnerConfig(values)
	}
	if problem != "" {
		// Without the values: a token may be among them.
		resp.Error = function.NewArgumentFuncError(0, problem)
		return
	}
	var file strings.Builder
	for _, key := range runnerConfigKeys {
		if value, ok := values[key]; ok {
			quoted, err := json.Marshal(value) // A JSON string is a YAML string, whatever is in it.
			if err != nil {
				resp.Error = function.NewFuncError(fmt.Sprintf("%s can't be written: %s", key, err))
				return
			}
			fmt.Fprintf(&file, "%s: %s\n", key, quoted)
		}
	}
	resp.Error = resp.Result.Set(ctx, file.String())
}

// runnerConfigValues returns the keys that are not null, or what is wrong with them.
func runnerConfigValues(config attr.Value) (values map[string]string, problem string) {
	var given map[string]attr.Value
	switch config := config.(type) {
	case types.Object:
		given = config.Attributes()
	case types.Map:
		given = config.Elements()
	default:
		return nil, "config must be an object, such as { token = pulumicloud_agent_pool.example.token }"
	}
	values = make(map[string]string, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		value := given[key]
		if dynamic, ok := value.(types.Dynamic); ok {
			value = dynamic.UnderlyingValue()
		}
		switch {
		case !slices.Contains(runnerConfigKeys, key):
			return nil, fmt.Sprintf("%q is not a key of a runner's configuration that this function knows; those are %s",
				key, strings.Join(runnerConfigKeys, ", "))
		case value == nil || value.IsNull():
			continue
		}
		text, ok := value.(types.String)
		if !ok {
			return nil, key + " must be a string"
		}
		values[key] = text.ValueString()
	}
	return values, ""
}

// checkRunnerConfig says what is wrong with the values, if anything is.
func checkRunnerConfig(values map[string]string) (problem string) {
	for _, key := range runnerConfigKeys {
		if value, ok := values[key]; ok && strings.TrimSpace(value) == "" {
			return key + " is empty"
		}
	}
	_, token := values["token"]
	var missing []string
	for _, key := range []string{"oidc_token_file", "organization_name", "runner_pool_id"} {
		if _, ok := values[key]; !ok {
			missing = append(missing, key)
		}
	}
	_, withOIDC := values["oidc_token_file"]
	switch {
	case token && withOIDC:
		return "token and oidc_token_file are two ways to authenticate; a runner has one"
	case !token && !withOIDC:
		return "neither token nor oidc_token_file is set (the token of an imported pool, or of one with token_recipients, is null)"
	case !token && len(missing) > 0:
		return "with oidc_token_file a runner also needs " + strings.Join(missing, " and ")
	}
	if target, ok := values["deploy_target"]; ok && !slices.Contains([]string{"docker", "kubernetes", "ecs"}, target) {
		return `deploy_target must be "docker", "kubernetes" or "ecs"`
	}
	if service, ok := values["service_url"]; ok {
		parsed, err := url.Parse(service)
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
			return "service_url must be an http or https URL"
		}
	}
	return ""
}
