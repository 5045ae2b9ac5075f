package terraformcli

import (
	"maps"
	"os"
	"strings"
)

// Environment is the user's, with these variables in the place of all that are [Foreign].
func Environment(variables map[string]string) map[string]string {
	environment := make(map[string]string)
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); !Foreign(name) {
			environment[name] = value
		}
	}
	maps.Copy(environment, variables)
	return environment
}

// Foreign tells whether a variable of the user's could make the CLI or the provider do something else than is expected.
func Foreign(name string) bool {
	for _, prefix := range []string{"TF_", "TOFU_", "PULUMI_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
