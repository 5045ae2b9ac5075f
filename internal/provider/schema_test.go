package provider_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

const schemaFile = "testdata/schema.json"

var update = flag.Bool("update", false, "write "+schemaFile+" instead of comparing it")

// The documentation is generated from the file, which has the format of "terraform providers schema -json". Generating
// it needs no CLI this way, and does not depend on the version of one.
func TestProviderSchema(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	mustDo(t, encoder.Encode(providerSchemas(t)))
	if *update {
		mustDo(t, os.WriteFile(schemaFile, got.Bytes(), 0o600))
		return
	}
	want, err := os.ReadFile(schemaFile)
	mustDo(t, err)
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is stale, run \"make generate\":\n%s", schemaFile, diff)
	}
}

func TestProviderSchema_descriptions(t *testing.T) {
	t.Parallel()
	var walk func(path string, node any)
	walk = func(path string, node any) {
		fields, _ := node.(object)
		// The package of the timeouts describes only their parts.
		if fields["description"] == "" && !strings.HasSuffix(path, ".timeouts") {
			t.Errorf("%s has no description", path)
		}
		for name, field := range fields {
			walk(path+"."+name, field)
		}
	}
	walk("", providerSchemas(t))
}

// Each page of the documentation has an example, and that of a resource all forms of import.
func TestProviderSchema_examples(t *testing.T) {
	t.Parallel()
	schemas := newProvider(t).Schemas
	files := []string{"provider/provider.tf"}
	for name := range schemas.ResourceSchemas {
		names := []string{"resource.tf", "import.sh", "import-by-string-id.tf", "import-by-identity.tf"}
		if name == readinessType {
			names = names[:1] // There is nothing to import.
		}
		for _, file := range names {
			files = append(files, "resources/"+name+"/"+file)
		}
	}
	for name := range schemas.DataSourceSchemas {
		files = append(files, "data-sources/"+name+"/data-source.tf")
	}
	for name := range schemas.ListResourceSchemas {
		files = append(files, "list-resources/"+name+"/list-resource.tfquery.hcl")
	}
	for _, file := range files {
		if info, err := os.Stat(filepath.Join(examplesDir, file)); err != nil || info.Size() == 0 {
			t.Errorf("examples/%s is missing or empty", file)
		}
	}
}

// object is a JSON object.
type object map[string]any

func withoutFalse(o object) object {
	maps.DeleteFunc(o, func(_ string, value any) bool { return value == false })
	return o
}

func providerSchemas(t *testing.T) object {
	t.Helper()
	p := newProvider(t)
	identities, err := p.Server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	mustDo(t, err)
	return object{"format_version": "1.0", "provider_schemas": object{"pulumicloud": object{
		"provider":                  schemaObject(p.Schemas.Provider),
		"resource_schemas":          objectOf(p.Schemas.ResourceSchemas, schemaObject),
		"data_source_schemas":       objectOf(p.Schemas.DataSourceSchemas, schemaObject),
		"list_resource_schemas":     objectOf(p.Schemas.ListResourceSchemas, schemaObject),
		"resource_identity_schemas": objectOf(identities.IdentitySchemas, identityObject),
	}}}
}

func objectOf[T any](from map[string]T, convert func(T) object) object {
	to := make(object)
	for name, value := range from {
		to[name] = convert(value)
	}
	return to
}

func schemaObject(schema *tfprotov6.Schema) object {
	block := object{
		"attributes": attributesObject(schema.Block.Attributes), "description": schema.Block.Description,
		"description_kind": strings.ToLower(schema.Block.DescriptionKind.String()),
	}
	return object{"version": schema.Version, "block": block}
}

func attributesObject(attributes []*tfprotov6.SchemaAttribute) object {
	converted := make(object)
	for _, a := range attributes {
		attribute := object{
			"description": a.Description, "description_kind": strings.ToLower(a.DescriptionKind.String()),
			"required": a.Required, "optional": a.Optional, "computed": a.Computed, "sensitive": a.Sensitive,
		}
		if a.NestedType == nil {
			attribute["type"] = a.Type
		} else {
			attribute["nested_type"] = object{
				"attributes": attributesObject(a.NestedType.Attributes), "nesting_mode": strings.ToLower(a.NestedType.Nesting.String()),
			}
		}
		converted[a.Name] = withoutFalse(attribute)
	}
	return converted
}

func identityObject(schema *tfprotov6.ResourceIdentitySchema) object {
	attributes := make(object)
	for _, a := range schema.IdentityAttributes {
		attributes[a.Name] = withoutFalse(object{
			"type": a.Type, "description": a.Description,
			"required_for_import": a.RequiredForImport, "optional_for_import": a.OptionalForImport,
		})
	}
	return object{"version": schema.Version, "attributes": attributes}
}
