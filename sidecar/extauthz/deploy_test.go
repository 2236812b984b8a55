package extauthz

import (
	"encoding/json"
	"os"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
)

// TestConfigurationIsEnvoys reads deploy/envoy with Envoy's own message types, which
// know no field that Envoy does not, and asks for what must not be changed. It does
// not show how Envoy behaves.
func TestConfigurationIsEnvoys(t *testing.T) {
	text, err := os.ReadFile("../../deploy/envoy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var config bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(document, &config); err != nil {
		t.Fatal(err)
	}
	if err := config.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	var manager managerv3.HttpConnectionManager
	if err := config.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig().UnmarshalTo(&manager); err != nil {
		t.Fatal(err)
	}
	if err := manager.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	if manager.NormalizePath.GetValue() || manager.MergeSlashes || manager.PathWithEscapedSlashesAction != managerv3.HttpConnectionManager_KEEP_UNCHANGED {
		t.Error("Envoy would clean paths")
	}
	var filter extauthzv3.ExtAuthz
	if err := manager.HttpFilters[len(manager.HttpFilters)-2].GetTypedConfig().UnmarshalTo(&filter); err != nil {
		t.Fatalf("ext_authz is not the last filter before the router: %v", err)
	}
	if err := filter.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	if filter.FailureModeAllow || !filter.EncodeRawHeaders || !filter.IncludeTlsSession || filter.AllowedHeaders != nil || filter.ClearRouteCache {
		t.Errorf("the filter is not strict: %v", &filter)
	}
}
