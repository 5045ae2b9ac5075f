package pulumiapi

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

const maxLoggedBytes = 16 << 10 // of a body

// loggedFields are the JSON fields of requests and responses that are logged.
var loggedFields = strings.Fields(`agentPoolID agentPools agentPoolRegistrationEnabled agents attribute code created
	defaultAgentPoolID description documentationUrl error errorType errors expiration expires_in features GitHubLogin
	grant_type hostname id isDefault lastDeployment lastSeen message name platform requested_token_type resource scope
	selfHostedDeploymentsEnabled setDefaultAgentPoolID status token_type version`)

// log writes one line about an attempt, which at level TRACE includes the bodies.
func (o *operation) log(req *http.Request, a *attempt, result verdict) {
	logger := o.client.config.Logger
	level := hclog.Debug
	if a.err != nil || result == retryable || result == rateLimited || result == ambiguous {
		level = hclog.Warn
	}
	if !logger.IsWarn() {
		return
	}
	fields := []any{
		"method", req.Method, "path", o.sanitize(req.URL.EscapedPath()), "query", o.sanitize(req.URL.RawQuery),
		"attempt", o.attempts, "duration_ms", a.received.Sub(a.started).Milliseconds(), "result", string(result),
		"status", a.status, "request_id", o.sanitize(a.header.Get(requestIDHeader)),
	}
	if a.err != nil {
		fields = append(fields, "error", o.sanitize(a.err.Error()))
	}
	if logger.IsTrace() {
		var sent []byte
		if req.GetBody != nil {
			body, _ := req.GetBody() // It is in memory, so that this cannot fail.
			sent, _ = io.ReadAll(body)
		}
		fields = append(fields, "request", o.loggedBody(sent), "response", o.loggedBody(a.body))
	}
	logger.Log(level, "sent request", fields...)
}

// loggedBody returns a body for the log: the size and, of JSON, loggedFields.
func (o *operation) loggedBody(body []byte) string {
	text := fmt.Sprintf("(%d bytes)", len(body))
	var value any
	if len(body) <= maxLoggedBytes && json.Unmarshal(body, &value) == nil {
		logged, _ := json.Marshal(o.loggedValue(value)) // A decoded value always has a JSON form.
		text += " " + string(logged)
	}
	return text
}

func (o *operation) loggedValue(value any) any {
	switch value := value.(type) {
	case string:
		return o.sanitize(value)
	case []any:
		for i, element := range value {
			value[i] = o.loggedValue(element)
		}
	case map[string]any:
		maps.DeleteFunc(value, func(name string, _ any) bool { return !slices.Contains(loggedFields, name) })
		for name, field := range value {
			value[name] = o.loggedValue(field)
		}
	}
	return value
}
