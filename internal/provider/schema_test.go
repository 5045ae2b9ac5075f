package provider_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

const schemaFile = "testdata/schema.json"

var update = flag.Bool("update", false, "write "+schemaFile+" instead of comparing it")

// TestProviderSchema compares the schema with the file that the documentation is generated from. The file has the format
// of "terraform providers schema -json". With the output of a CLI, the documentation would depend on the CLI's version.
func TestProviderSchema(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(tfjson.ProviderSchemas{
		FormatVersion: "1.0",
		Schemas:       map[string]*tfjson.ProviderSchema{"pulumicloud": providerSchema(t)},
	}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s is stale, run \"make generate\":\n%s", schemaFile, diff)
	}
}

func TestProviderSchemaDescriptions(t *testing.T) {
	t.Parallel()
	schema := providerSchema(t)
	described := func(where, description string, kind tfjson.SchemaDescriptionKind) {
		if strings.TrimSpace(description) == "" {
			t.Errorf("%s has no description", where)
		} else if kind != tfjson.SchemaDescriptionKindMarkdown {
			t.Errorf("%s has a description that is not Markdown", where)
		}
	}
	var attributes func(where string, attributes map[string]*tfjson.SchemaAttribute)
	attributes = func(where string, named map[string]*tfjson.SchemaAttribute) {
		for name, attribute := range named {
			where := where + "." + name
			described(where, attribute.Description, attribute.DescriptionKind)
			if attribute.AttributeNestedType != nil {
				attributes(where, attribute.AttributeNestedType.Attributes)
			}
		}
	}
	var block func(where string, block *tfjson.SchemaBlock)
	block = func(where string, b *tfjson.SchemaBlock) {
		described(where, b.Description, b.DescriptionKind)
		attributes(where, b.Attributes)
		for name, nested := range b.NestedBlocks {
			block(where+"."+name, nested.Block)
		}
	}

	block("provider", schema.ConfigSchema.Block)
	for kind, schemas := range map[string]map[string]*tfjson.Schema{
		"resource":      schema.ResourceSchemas,
		"data source":   schema.DataSourceSchemas,
		"list resource": schema.ListResourceSchemas,
	} {
		for name, schema := range schemas {
			block(kind+" "+name, schema.Block)
		}
	}
	for name, identity := range schema.ResourceIdentitySchemas {
		for attribute, schema := range identity.Attributes {
			// Terraform knows no Markdown here.
			described("identity "+name+"."+attribute, schema.Description, tfjson.SchemaDescriptionKindMarkdown)
		}
	}
}

// TestProviderSchemaExamples requires an example for each page of the documentation and for each form of import.
func TestProviderSchemaExamples(t *testing.T) {
	t.Parallel()
	schema := providerSchema(t)
	examples := []string{"provider/provider.tf"}
	for directory, of := range map[string]struct {
		names []string
		file  string
	}{
		"resources":      {slices.Collect(maps.Keys(schema.ResourceSchemas)), "resource.tf"},
		"data-sources":   {slices.Collect(maps.Keys(schema.DataSourceSchemas)), "data-source.tf"},
		"list-resources": {slices.Collect(maps.Keys(schema.ListResourceSchemas)), "list-resource.tfquery.hcl"},
	} {
		for _, name := range of.names {
			examples = append(examples, filepath.Join(directory, name, of.file))
		}
	}
	for name, forms := range importExamples(t) {
		for _, form := range forms {
			examples = append(examples, filepath.Join("resources", name, form))
		}
	}
	for _, example := range examples {
		if info, err := os.Stat(filepath.Join(examplesDirectory, example)); err != nil || info.Size() == 0 {
			t.Errorf("examples/%s is missing or empty", example)
		}
	}
}

// importExamples returns, by resource type, the files that show how to import it.
func importExamples(t *testing.T) map[string][]string {
	t.Helper()
	forms := map[string][]string{}
	for _, construct := range provider.New("test")().Resources(t.Context()) {
		r := construct()
		var metadata resource.MetadataResponse
		r.Metadata(t.Context(), resource.MetadataRequest{ProviderTypeName: "pulumicloud"}, &metadata)
		if _, ok := r.(resource.ResourceWithImportState); ok {
			forms[metadata.TypeName] = []string{"import.sh", "import-by-string-id.tf"}
			if _, ok := r.(resource.ResourceWithIdentity); ok {
				forms[metadata.TypeName] = append(forms[metadata.TypeName], "import-by-identity.tf")
			}
		}
	}
	return forms
}

// providerSchema asks the provider for its schema, over the protocol.
func providerSchema(t *testing.T) *tfjson.ProviderSchema {
	t.Helper()
	server, err := factories()["pulumicloud"]()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	identities, err := server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, diagnostic := range append(schema.Diagnostics, identities.Diagnostics...) {
		t.Fatal(diagnostic.Summary, diagnostic.Detail)
	}
	if len(schema.ActionSchemas)+len(schema.EphemeralResourceSchemas)+len(schema.Functions)+len(schema.StateStoreSchemas) > 0 {
		t.Fatal("the schema file supports only resources, data sources and list resources")
	}

	converter := schemaConverter{t}
	return &tfjson.ProviderSchema{
		ConfigSchema:            converter.schema(schema.Provider),
		ResourceSchemas:         mapValues(schema.ResourceSchemas, converter.schema),
		DataSourceSchemas:       mapValues(schema.DataSourceSchemas, converter.schema),
		ListResourceSchemas:     mapValues(schema.ListResourceSchemas, converter.schema),
		ResourceIdentitySchemas: mapValues(identities.IdentitySchemas, converter.identity),
	}
}

// schemaConverter turns the protocol's types into those of "terraform providers schema -json".
type schemaConverter struct{ t *testing.T }

func (c schemaConverter) schema(schema *tfprotov6.Schema) *tfjson.Schema {
	return &tfjson.Schema{Version: unsigned(schema.Version), Block: c.block(schema.Block)}
}

func (c schemaConverter) block(block *tfprotov6.SchemaBlock) *tfjson.SchemaBlock {
	converted := &tfjson.SchemaBlock{
		Attributes:      c.attributes(block.Attributes),
		NestedBlocks:    map[string]*tfjson.SchemaBlockType{},
		Description:     block.Description,
		DescriptionKind: descriptionKind(block.DescriptionKind),
		Deprecated:      block.Deprecated,
	}
	for _, nested := range block.BlockTypes {
		converted.NestedBlocks[nested.TypeName] = &tfjson.SchemaBlockType{
			NestingMode: tfjson.SchemaNestingMode(strings.ToLower(nested.Nesting.String())),
			Block:       c.block(nested.Block),
			MinItems:    unsigned(nested.MinItems),
			MaxItems:    unsigned(nested.MaxItems),
		}
	}
	return converted
}

func (c schemaConverter) attributes(attributes []*tfprotov6.SchemaAttribute) map[string]*tfjson.SchemaAttribute {
	converted := map[string]*tfjson.SchemaAttribute{}
	for _, attribute := range attributes {
		a := &tfjson.SchemaAttribute{
			Description:     attribute.Description,
			DescriptionKind: descriptionKind(attribute.DescriptionKind),
			Deprecated:      attribute.Deprecated,
			Required:        attribute.Required,
			Optional:        attribute.Optional,
			Computed:        attribute.Computed,
			Sensitive:       attribute.Sensitive,
			WriteOnly:       attribute.WriteOnly,
		}
		if attribute.NestedType != nil {
			a.AttributeNestedType = &tfjson.SchemaNestedAttributeType{
				Attributes:  c.attributes(attribute.NestedType.Attributes),
				NestingMode: tfjson.SchemaNestingMode(strings.ToLower(attribute.NestedType.Nesting.String())),
			}
		} else {
			c.convertType(attribute.Type, &a.AttributeType)
		}
		converted[attribute.Name] = a
	}
	return converted
}

func (c schemaConverter) identity(schema *tfprotov6.ResourceIdentitySchema) *tfjson.IdentitySchema {
	converted := &tfjson.IdentitySchema{
		Version: unsigned(schema.Version), Attributes: map[string]*tfjson.IdentityAttribute{},
	}
	for _, attribute := range schema.IdentityAttributes {
		a := &tfjson.IdentityAttribute{
			Description:       attribute.Description,
			RequiredForImport: attribute.RequiredForImport,
			OptionalForImport: attribute.OptionalForImport,
		}
		c.convertType(attribute.Type, &a.IdentityType)
		converted.Attributes[attribute.Name] = a
	}
	return converted
}

// convertType converts through JSON, which is the same for both types.
func (c schemaConverter) convertType(from tftypes.Type, into json.Unmarshaler) {
	c.t.Helper()
	text, err := json.Marshal(from)
	if err == nil {
		err = into.UnmarshalJSON(text)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func descriptionKind(kind tfprotov6.StringKind) tfjson.SchemaDescriptionKind {
	if kind == tfprotov6.StringKindMarkdown {
		return tfjson.SchemaDescriptionKindMarkdown
	}
	return tfjson.SchemaDescriptionKindPlain
}

func unsigned(n int64) uint64 {
	return uint64(n) //nolint:gosec // Versions and numbers of items are not negative.
}

func mapValues[From, To any](from map[string]From, convert func(From) To) map[string]To {
	to := make(map[string]To, len(from))
	for key, value := range from {
		to[key] = convert(value)
	}
	return to
}
