package provider_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// poolOperation is what can be done to a pool and fail. It returns the state that Terraform would keep.
type poolOperation struct {
	name       string
	permission string
	// did is how the error begins.
	did string
	// run works on a pool that is in the state, or makes another.
	run func(t *testing.T, c *acctest.Resource, pool acctest.Object) (acctest.Object, acctest.Diagnostics)
}

// poolOperations are all that send a request of their own for a pool.
func poolOperations() []poolOperation {
	return []poolOperation{
		{
			"create", "agent_pool:create", `Could not create agent pool "another" in organization "acme".`,
			func(t *testing.T, c *acctest.Resource, _ acctest.Object) (acctest.Object, acctest.Diagnostics) {
				t.Helper()
				return c.Apply(t.Context(), c.Absent(), attributes{"name": "another"})
			},
		},
		{
			"read", "agent_pool:read", `Could not read agent pool "runners" (`,
			func(t *testing.T, c *acctest.Resource, pool acctest.Object) (acctest.Object, acctest.Diagnostics) {
				t.Helper()
				return c.Read(t.Context(), pool)
			},
		},
		{
			"update", "agent_pool:update", `Could not update agent pool "runners" (`,
			func(t *testing.T, c *acctest.Resource, pool acctest.Object) (acctest.Object, acctest.Diagnostics) {
				t.Helper()
				return c.Apply(t.Context(), pool, attributes{"name": "renamed"})
			},
		},
		{
			"delete", "agent_pool:delete", `Could not delete agent pool "runners" (`,
			func(t *testing.T, c *acctest.Resource, pool acctest.Object) (acctest.Object, acctest.Diagnostics) {
				t.Helper()
				return c.Destroy(t.Context(), pool)
			},
		},
		{
			"import by name", "agent_pool:read", `Could not find agent pool "runners" of organization "acme".`,
			func(t *testing.T, c *acctest.Resource, pool acctest.Object) (acctest.Object, acctest.Diagnostics) {
				t.Helper()
				_, diagnostics := c.Import(t.Context(), "acme/runners")
				return pool, diagnostics
			},
		},
	}
}

// failure is an answer in the API's stead, and what becomes of it.
type failure struct {
	name  string
	reply func(http.ResponseWriter, *http.Request, http.Handler)
	title string
	texts []string
	// uncertain tells that a create may have taken effect for all that is known.
	uncertain bool
	// cause is what the server said, as the error repeats it.
	cause string
}

func failures() []failure {
	return []failure{
		{
			name:  "401",
			reply: answer(http.StatusUnauthorized, jsonType, pulumiError(401, "No credentials provided or are invalid.")),
			title: "Access token refused", texts: []string{"expired", "api_url"},
			cause: "401 Unauthorized: No credentials provided or are invalid.",
		},
		{
			name:  "403",
			reply: answer(http.StatusForbidden, jsonType, pulumiError(403, "not for you")),
			title: "Permission denied", texts: []string{`in organization "acme"`, "administrators", "Enterprise"},
			cause: "403 Forbidden: not for you",
		},
		{
			name:  "another refusal",
			reply: answer(http.StatusUnprocessableEntity, jsonType, pulumiError(422, "the moon is full")),
			title: "Request refused",
			cause: "422 Unprocessable Entity: the moon is full",
		},
		{
			name:  "500",
			reply: answer(http.StatusInternalServerError, jsonType, pulumiError(500, "out of order")),
			title: "Pulumi Cloud failed", texts: []string{"attempts: 3", "Nothing was removed from the state", "status.pulumi.com"},
			uncertain: true, cause: "500 Internal Server Error: out of order",
		},
		{
			name:  "404 in plain text",
			reply: answer(http.StatusNotFound, textType, "404 page not found"),
			title: "Not an answer of Pulumi Cloud", texts: []string{"api_url", "proxy", "Nothing was removed from the state"},
			cause: "404 Not Found (text/plain, not Pulumi Cloud's JSON)",
		},
		{
			name:  "404 in HTML",
			reply: answer(http.StatusNotFound, htmlType, "<h1>Not Found</h1>"),
			title: "Not an answer of Pulumi Cloud", texts: []string{"api_url", "proxy", "Nothing was removed from the state"},
			cause: "404 Not Found (text/html, not Pulumi Cloud's JSON)",
		},
		{
			name:  "404 in another API's JSON",
			reply: answer(http.StatusNotFound, jsonType, `{"error":"no route"}`),
			title: "Not an answer of Pulumi Cloud", texts: []string{"api_url"},
			cause: "404 Not Found (application/json, not Pulumi Cloud's JSON)",
		},
		{
			name:  "502 in HTML",
			reply: answer(http.StatusBadGateway, htmlType, "<h1>Bad Gateway</h1>"),
			title: "Not an answer of Pulumi Cloud", texts: []string{"proxy"},
			uncertain: true, cause: "502 Bad Gateway (text/html, not Pulumi Cloud's JSON)",
		},
	}
}

// fails has Pulumi Cloud answer the operation like this, and expects an error that says what was to be done to which
// pool, and the state and the pool as they were.
func (o poolOperation) fails(
	t *testing.T, reply func(http.ResponseWriter, *http.Request, http.Handler), title string, texts ...string,
) {
	t.Helper()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"}, fewRetries)
	pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
	pool.Private = nil // It is not new: reads do not wait for it to appear.
	want := pool
	if o.name == "create" {
		want = c.Absent()
	}
	pulumi.intercept("", reply)
	after, diagnostics := o.run(t, c, pool)
	expectError(t, diagnostics, title, append(texts, o.did)...)
	if !after.Value.Equal(want.Value) {
		t.Error("the state has changed")
	}
	if id := pulumi.onlyPool(t, "acme").ID; id != pool.Text("id") {
		t.Error("the pool has changed")
	}
}

func fewRetries(config *cloud.Config) { config.MaxRetries = 2 }

const createdPerhaps = "Agent pool may have been created"

func TestAgentPool_failures(t *testing.T) {
	t.Parallel()
	for _, failure := range failures() {
		for _, operation := range poolOperations() {
			t.Run(failure.name+" on "+operation.name, func(t *testing.T) {
				t.Parallel()
				title, texts := failure.title, append([]string{failure.cause}, failure.texts...)
				if failure.uncertain && operation.name == "create" {
					title, texts = createdPerhaps, []string{failure.cause, "Look in the console, or run this again"}
				}
				if failure.title == "Permission denied" {
					texts = append(texts, operation.permission)
				}
				operation.fails(t, failure.reply, title, texts...)
			})
		}
	}
}

// A success whose body is not the API's is no news of the pool, but one that does not exist is no success either.
func TestAgentPool_successesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"HTML":          answer(http.StatusOK, htmlType, "<h1>Sign in</h1>"),
		"nothing":       answer(http.StatusOK, jsonType, ""),
		"another JSON":  answer(http.StatusOK, jsonType, `{"status":"ok"}`),
		"cut-off JSON":  answer(http.StatusOK, jsonType, `{"agentPools":[{"id":`),
		"JSON of lists": answer(http.StatusOK, jsonType, `[]`),
	} {
		for _, operation := range poolOperations() {
			title := "Unexpected answer of Pulumi Cloud"
			switch operation.name {
			case "create":
				title = createdPerhaps
			case "delete":
				continue // Its answer has no body.
			}
			t.Run(name+" on "+operation.name, func(t *testing.T) {
				t.Parallel()
				operation.fails(t, reply, title)
			})
		}
	}
}

func TestAgentPool_brokenConnections(t *testing.T) {
	t.Parallel()
	broken := func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
	for _, operation := range poolOperations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			title := "Pulumi Cloud can't be reached"
			if operation.name == "create" {
				title = createdPerhaps
			}
			operation.fails(t, broken, title)
		})
	}
}

func TestAgentPool_redirectsToALoginPage(t *testing.T) {
	t.Parallel()
	const loginPage = "https://login.example.com/"
	redirect := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, loginPage, http.StatusFound)
	}
	for _, operation := range poolOperations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			operation.fails(t, redirect, "Not an answer of Pulumi Cloud", loginPage, "api_url", "access token", "not sent")
		})
	}
}

// An organization that is gone, or that the token's owner has left, takes no pool out of the state.
func TestAgentPool_organizationOutOfSight(t *testing.T) {
	t.Parallel()
	for _, operation := range poolOperations() {
		t.Run(operation.name, func(t *testing.T) {
			t.Parallel()
			title := "Organization not found"
			if operation.name == "update" { // A refresh tells more, and comes first as a rule.
				title = "Agent pool not found"
			}
			operation.fails(t, answer(http.StatusNotFound, jsonType, pulumiError(404, "no such organization")), title, `"acme"`)
		})
	}
}

func TestAgentPool_unknownOrganization(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "initech"})
	pool, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Organization not found", `"initech"`, "console's URL", "whose token this is")
	if pool.Exists() {
		t.Error("the state holds a pool of an organization that does not exist")
	}
}

func TestAgentPool_goneAtUpdate(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
	if err := pulumi.DeleteAgentPool("acme", pool.Text("id")); err != nil {
		t.Fatal(err)
	}
	kept, diagnostics := c.Apply(t.Context(), pool, attributes{"name": "renamed"})
	expectError(t, diagnostics, "Agent pool not found", pool.Text("id"), "deleted outside Terraform", "A new plan")
	if !kept.Value.Equal(pool.Value) {
		t.Error("the state has changed")
	}
}

func TestAgentPool_takenNameThatCanNotBeLookedUp(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	pulumi.mustCreate(t, "acme", "runners", "")
	pulumi.intercept(http.MethodGet, answer(http.StatusForbidden, jsonType, pulumiError(403, "no")))
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	_, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Agent pool exists already", "Choose another name, or import that pool")
}

func TestAgentPool_errorsOfPulumiCloudAreToldInFull(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	pulumi.intercept("", answer(http.StatusBadRequest, jsonType, `{
		"code": 400,
		"message": "Bad Request: Metadata object store endpoint is not configured",
		"documentationUrl": "https://www.pulumi.com/docs/self-hosted/",
		"errors": [{"resource": "AgentPool", "attribute": "name", "errorType": "invalid", "customMessage": "too plain"}]
	}`))
	_, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	requests := pulumi.Requests()
	expectError(t, diagnostics, "Request refused",
		"Metadata object store endpoint is not configured",
		"See https://www.pulumi.com/docs/self-hosted/",
		"- AgentPool: name: invalid: too plain",
		"(request "+requests[len(requests)-1].RequestID+")")
}

func TestAgentPool_errorsRevealNoSecretAndCommandNoTerminal(t *testing.T) {
	t.Parallel()
	pulumi := startPulumiCloud(t, emulator.Options{})
	const poolToken = "pul-fedcba9876543210fedcba9876543210fedcba98"
	pulumi.intercept("", answer(http.StatusBadRequest, jsonType,
		`{"code":400,"message":"Bad Request: token `+accessToken+` and `+poolToken+` \u001b[2J\u0007 gone"}`))
	c := newCore(t, pulumi, attributes{"organization": "acme"})
	_, diagnostics := c.Apply(t.Context(), c.Absent(), attributes{"name": "runners"})
	expectError(t, diagnostics, "Request refused", "(redacted) and (redacted)")
	for _, hidden := range []string{accessToken, poolToken, "\x1b", "\a"} {
		if strings.Contains(diagnosticsText(diagnostics), hidden) {
			t.Error("the error shows what it must not")
		}
	}
}

func TestAgentPool_tooManyRequests(t *testing.T) {
	t.Parallel()
	tooMany := func(retryAfter string) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", jsonType)
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, pulumiError(429, "slow down"))
		}
	}
	for _, operation := range poolOperations() {
		t.Run("for ever on "+operation.name, func(t *testing.T) {
			t.Parallel()
			operation.fails(t, tooMany(""), "Too many requests", "attempt 3", "-parallelism", "max_retries")
		})
		t.Run("for an hour on "+operation.name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			c := newCore(t, pulumi, attributes{"organization": "acme"})
			pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
			pulumi.intercept("", tooMany("3600"))
			_, diagnostics := operation.run(t, c, pool)
			expectError(t, diagnostics, "Too many requests", "asks to wait 1h0m0s")
		})
		t.Run("once on "+operation.name, func(t *testing.T) {
			t.Parallel()
			pulumi := startPulumiCloud(t, emulator.Options{})
			c := newCore(t, pulumi, attributes{"organization": "acme"})
			pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
			times := make(chan func(http.ResponseWriter, *http.Request, http.Handler), 2)
			times <- tooMany("")
			times <- tooMany(time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)) // over already
			pulumi.intercept("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				select {
				case refuse := <-times:
					refuse(w, r, next)
				default:
					next.ServeHTTP(w, r)
				}
			})
			_, diagnostics := operation.run(t, c, pool)
			expectNoError(t, diagnostics)
		})
	}
}

// A request that fails now and then is repeated where that is safe, and nobody notices.
func TestAgentPool_failuresThatPass(t *testing.T) {
	t.Parallel()
	for _, operation := range poolOperations() {
		for name, fail := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
			"503 before it took effect": answer(http.StatusServiceUnavailable, jsonType, pulumiError(503, "later")),
			"answer lost":               loseAnswer,
		} {
			if operation.name == "create" && name == "answer lost" {
				continue // Its token is lost as well, which has tests of its own.
			}
			t.Run(fmt.Sprintf("%s on %s", name, operation.name), func(t *testing.T) {
				t.Parallel()
				pulumi := startPulumiCloud(t, emulator.Options{})
				c := newCore(t, pulumi, attributes{"organization": "acme"})
				pool := c.MustApply(t, c.Absent(), attributes{"name": "runners"})
				first := make(chan struct{}, 1)
				first <- struct{}{}
				pulumi.intercept("", func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					select {
					case <-first:
						fail(w, r, next)
					default:
						next.ServeHTTP(w, r)
					}
				})
				after, diagnostics := operation.run(t, c, pool)
				expectNoError(t, diagnostics)
				if pools := pulumi.AgentPools("acme"); operation.name == "delete" && (len(pools) > 0 || after.Exists()) {
					t.Error("the pool was not deleted")
				}
				if operation.name == "create" && !pulumi.TokenMatches("acme", after.Text("id"), after.Text("token")) {
					t.Error("the state does not hold the token of the pool that was created")
				}
				if operation.name == "update" && after.Text("name") != "renamed" {
					t.Error("the state does not have the new name")
				}
			})
		}
	}
}
