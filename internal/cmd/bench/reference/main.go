// Command reference is the limit of what the provider can reach: the provider itself, schema, configuration and plans
// included, but for reads, which it answers with the state that it is handed, and for creates and deletes, which are a
// bare request each.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/provider"
)

// idleConnections is more than any parallelism that is measured.
const idleConnections = 256

func main() {
	transport := &http.Transport{MaxIdleConns: idleConnections, MaxIdleConnsPerHost: idleConnections}
	provider.QuietUnlessLogged()
	newServer := provider.NewServer("reference")
	err := tf6server.Serve(provider.Address, func() tfprotov6.ProviderServer {
		return &server{
			ProviderServer: newServer(),
			http:           &http.Client{Transport: transport},
			baseURL:        os.Getenv("PULUMI_BACKEND_URL"),
			accessToken:    os.Getenv("PULUMI_ACCESS_TOKEN"),
		}
	})
	if err != nil {
		hclog.Default().Error("the provider stopped", "error", err)
		os.Exit(1)
	}
}

type server struct {
	tfprotov6.ProviderServer
	http                 *http.Client
	baseURL, accessToken string
}

// ReadResource implements [tfprotov6.ResourceServer].
func (s *server) ReadResource(
	_ context.Context, req *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{
		NewState: req.CurrentState, NewIdentity: req.CurrentIdentity, Private: req.Private,
	}, nil
}

// ApplyResourceChange implements [tfprotov6.ResourceServer]. An update is the provider's own.
func (s *server) ApplyResourceChange(
	ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	schemas, err := s.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	resourceType := schemas.ResourceSchemas[req.TypeName].ValueType()
	prior, err := attributes(req.PriorState, resourceType)
	if err != nil {
		return nil, err
	}
	planned, err := attributes(req.PlannedState, resourceType)
	if err != nil {
		return nil, err
	}
	switch {
	case prior == nil:
		return s.create(ctx, resourceType, planned)
	case planned == nil:
		return &tfprotov6.ApplyResourceChangeResponse{NewState: req.PlannedState}, s.delete(ctx, prior)
	default:
		return s.ProviderServer.ApplyResourceChange(ctx, req)
	}
}

func (s *server) create(
	ctx context.Context, resourceType tftypes.Type, planned map[string]tftypes.Value,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	pool, err := texts(planned, "organization", "name", "description")
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"name": pool["name"], "description": pool["description"]})
	if err != nil {
		return nil, err
	}
	var created struct {
		ID         string `json:"id"`
		TokenValue string `json:"tokenValue"`
	}
	if err := s.send(ctx, http.MethodPost, poolsPath(pool["organization"]), body, &created); err != nil {
		return nil, err
	}
	planned["id"] = tftypes.NewValue(tftypes.String, created.ID)
	planned["token"] = tftypes.NewValue(tftypes.String, created.TokenValue)
	state, err := tfprotov6.NewDynamicValue(resourceType, tftypes.NewValue(resourceType, planned))
	if err != nil {
		return nil, err
	}
	identityType := tftypes.Object{AttributeTypes: map[string]tftypes.Type{
		"organization": tftypes.String, "id": tftypes.String,
	}}
	identity, err := tfprotov6.NewDynamicValue(identityType, tftypes.NewValue(identityType, map[string]tftypes.Value{
		"organization": planned["organization"], "id": planned["id"],
	}))
	if err != nil {
		return nil, err
	}
	return &tfprotov6.ApplyResourceChangeResponse{
		NewState: &state, NewIdentity: &tfprotov6.ResourceIdentityData{IdentityData: &identity}, Private: private,
	}, nil
}

// private is as long as what the provider has a state keep for it. The CLI writes the whole state after each creation,
// so that a shorter one would take it less time.
var private = []byte(`{"created":"MTc5NTQ0ODE2OQ=="}`)

func (s *server) delete(ctx context.Context, prior map[string]tftypes.Value) error {
	pool, err := texts(prior, "organization", "id")
	if err != nil {
		return err
	}
	return s.send(ctx, http.MethodDelete, poolsPath(pool["organization"])+"/"+url.PathEscape(pool["id"]), nil, nil)
}

// send reads the answer into a value, unless that is nil.
func (s *server) send(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.baseURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "token "+s.accessToken)
	req.Header.Set("Accept", "application/vnd.pulumi+9")
	req.Header.Set("User-Agent", "reference")
	req.Header.Set("X-Pulumi-Source", "provider")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// A connection is used again only once its answer has been read to the end.
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func poolsPath(organization string) string {
	return "/api/orgs/" + url.PathEscape(organization) + "/agent-pools"
}

// attributes returns nil for a resource that is not there.
func attributes(value *tfprotov6.DynamicValue, resourceType tftypes.Type) (map[string]tftypes.Value, error) {
	resource, err := value.Unmarshal(resourceType)
	if err != nil || resource.IsNull() {
		return nil, err
	}
	var attributes map[string]tftypes.Value
	err = resource.As(&attributes)
	return attributes, err
}

func texts(attributes map[string]tftypes.Value, names ...string) (map[string]string, error) {
	texts := make(map[string]string, len(names))
	for _, name := range names {
		var text string
		if err := attributes[name].As(&text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		texts[name] = text
	}
	return texts, nil
}
