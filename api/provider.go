package api

import (
	"iter"
	"net"
	"net/url"
	"strings"

	"github.com/doorward/doorward/iam"
)

var (
	providerARN     = param{name: "OpenIDConnectProviderArn", presence: notNull, min: 20, max: 2048}
	providerURL     = param{name: "Url", presence: notNull, min: 1, max: 255}
	clientID        = param{name: "ClientID", presence: notNull, min: 1, max: 255}
	clientIDList    = param{name: "ClientIDList", kind: list}
	thumbprintList  = param{name: "ThumbprintList", kind: list}
	providerTags    = param{name: "Tags", kind: structs, max: 50, fields: []string{"Key", "Value"}, each: checkExactTags}
	providerActions = []action{
		writes("CreateOpenIDConnectProvider", newProvider, createProvider, providerURL, clientIDList, thumbprintList, providerTags),
		reads("GetOpenIDConnectProvider", theProvider, getProvider, providerARN),
		reads("ListOpenIDConnectProviders", nil, listProviders),
		writes("DeleteOpenIDConnectProvider", theProvider, deleteProvider, providerARN),
		writes("AddClientIDToOpenIDConnectProvider", theProvider, addClientID, providerARN, clientID),
		writes("RemoveClientIDFromOpenIDConnectProvider", theProvider, removeClientID, providerARN, clientID),
		writes("UpdateOpenIDConnectProviderThumbprint", theProvider, updateThumbprints, providerARN, thumbprintList),
		writes("TagOpenIDConnectProvider", theProvider, tagProvider, providerARN, providerTags.required()),
		writes("UntagOpenIDConnectProvider", theProvider, untagProvider, providerARN, tagKeys),
		reads("ListOpenIDConnectProviderTags", theProvider, listProviderTags, providerARN, marker, maxItems),
	}
)

// The quotas of IAM for a provider.
const (
	maxClientIDs   = 100
	maxThumbprints = 5
	thumbprintSize = 40
)

// theProvider is the provider that the call names.
func theProvider(c *call) []target {
	t := target{arn: iam.ARN(c.form["OpenIDConnectProviderArn"])}
	if p, ok := c.view.Provider(t.arn.Account(), providerOf(t.arn)); ok {
		t.tags = p.Tags
	}
	return one(t)
}

func newProvider(c *call) []target {
	name := strings.TrimPrefix(c.form["Url"], "https://")
	return one(target{arn: (&iam.Provider{Account: c.caller.account, URL: name}).ARN()})
}

// providerOf is the URL in a provider's ARN, without its scheme.
func providerOf(arn iam.ARN) string {
	_, name, _ := strings.Cut(arn.Resource(), "/")
	return name
}

// AWS words the absence of a provider in two ways.
const (
	noProvider      = "OpenIDConnect Provider not found for arn %s"
	noProviderFound = "OpenId connect Provider %s cannot be found."
)

// provider finds the provider that the call names; missing words its absence.
func (c *call) provider(missing string) (*iam.Provider, error) {
	arn := iam.ARN(c.form["OpenIDConnectProviderArn"])
	kind, name, _ := strings.Cut(arn.Resource(), "/")
	switch {
	case !strings.HasPrefix(string(arn), "arn:aws:iam::") || arn.Account() == "" || name == "":
		return nil, iam.Errorf(iam.ValidationError, "Invalid ARN: %s", arn)
	case kind != "oidc-provider":
		return nil, iam.Errorf(iam.ValidationError, "Invalid resource type in ARN")
	}
	if p, ok := c.view.Provider(c.caller.account, name); ok && p.ARN() == arn {
		return p, nil
	}
	return nil, iam.Errorf(iam.NoSuchEntity, missing, arn)
}

// checkProviderURL returns the URL without its scheme.
func checkProviderURL(raw string) (string, error) {
	if !strings.Contains(raw, "://") {
		return "", iam.Errorf(iam.ValidationError, "Invalid Open ID Connect Provider URL")
	}
	if !strings.HasPrefix(raw, "https://") {
		return "", iam.Errorf(iam.InvalidInput, "Invalid Open ID Connect Provider URL. The URL must begin with https://.")
	}
	parsed, err := url.Parse(raw)
	if err != nil || parsed.Host == "" {
		return "", iam.Errorf(iam.ValidationError, "Invalid Open ID Connect Provider URL")
	}
	if parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.Port() != "" || !validHost(parsed.Hostname()) {
		return "", iam.Errorf(iam.InvalidInput, "Invalid Open ID Connect Provider URL.")
	}
	return strings.TrimPrefix(raw, "https://"), nil
}

// validHost accepts IP addresses and the host names of RFC 1123.
func validHost(host string) bool {
	if net.ParseIP(host) != nil {
		return true
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Contains(label, "_") || !only("-")(label) {
			return false
		}
	}
	return len(host) <= 253
}

func checkThumbprints(list []string) ([]string, error) {
	if len(list) > maxThumbprints {
		return nil, iam.Errorf(iam.InvalidInput, "Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	lower := make([]string, len(list))
	for i, thumbprint := range list {
		if len(thumbprint) != thumbprintSize {
			return nil, iam.Errorf(iam.InvalidInput, "Thumbprint must be exactly %d characters.", thumbprintSize)
		}
		lower[i] = strings.ToLower(thumbprint)
	}
	return lower, nil
}

func createProvider(c *call) (any, error) {
	name, err := checkProviderURL(c.form["Url"])
	if err != nil {
		return nil, err
	}
	clients := c.form.list("ClientIDList")
	if len(clients) > maxClientIDs {
		return nil, iam.Errorf(iam.LimitExceeded, "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	for _, id := range clients {
		if err := check(clientID, id); err != nil {
			return nil, err
		}
	}
	thumbprints, err := checkThumbprints(c.form.list("ThumbprintList"))
	if err != nil {
		return nil, err
	}
	if _, exists := c.view.Provider(c.caller.account, name); !exists && len(thumbprints) == 0 {
		fetched, err := c.server.config.Identity.Thumbprint(c.ctx, name)
		if err != nil {
			return nil, iam.Errorf(openIDUnreachable, "Could not connect to https://%s", name)
		}
		thumbprints = []string{fetched}
	}
	p := iam.Provider{Account: c.caller.account, URL: name, ClientIDs: clients, Thumbprints: thumbprints, Created: c.now, Tags: c.form.tags()}
	if err := c.propose(iam.CreateProvider{Provider: p}); err != nil {
		return nil, err
	}
	return struct {
		OpenIDConnectProviderArn iam.ARN
		Tags                     *tagsXML
	}{p.ARN(), describeTags(p.Tags)}, nil
}

func getProvider(c *call) (any, error) {
	p, err := c.provider(noProvider)
	if err != nil {
		return nil, err
	}
	return struct {
		URL            string `xml:"Url"`
		ClientIDList   listOf[string]
		ThumbprintList listOf[string]
		CreateDate     stamp
		Tags           *tagsXML
	}{p.URL, listOf[string]{p.ClientIDs}, listOf[string]{p.Thumbprints}, stamp(p.Created), describeTags(p.Tags)}, nil
}

type providerEntryXML struct {
	ARN iam.ARN `xml:"Arn"`
}

func listProviders(c *call) (any, error) {
	providers := collect(c.view.Providers(c.caller.account, ""), func(p *iam.Provider) providerEntryXML { return providerEntryXML{p.ARN()} })
	return struct {
		OpenIDConnectProviderList listOf[providerEntryXML]
	}{listOf[providerEntryXML]{providers}}, nil
}

func collect[R, T any](records iter.Seq[R], describe func(R) T) (all []T) {
	for r := range records {
		all = append(all, describe(r))
	}
	return all
}

// onProvider proposes a command about the provider that the call names.
func (c *call) onProvider(missing string, command func(iam.Ref) iam.Command) (any, error) {
	p, err := c.provider(missing)
	if err != nil {
		return nil, err
	}
	return nil, c.propose(command(p.Ref()))
}

func deleteProvider(c *call) (any, error) {
	return c.onProvider(noProviderFound, func(ref iam.Ref) iam.Command { return iam.DeleteProvider{Provider: ref} })
}

func addClientID(c *call) (any, error) {
	return c.onProvider(noProvider, func(ref iam.Ref) iam.Command {
		return iam.UpdateProvider{Provider: ref, AddClient: c.form["ClientID"]}
	})
}

func removeClientID(c *call) (any, error) {
	return c.onProvider(noProvider, func(ref iam.Ref) iam.Command {
		return iam.UpdateProvider{Provider: ref, RemoveClient: c.form["ClientID"]}
	})
}

func updateThumbprints(c *call) (any, error) {
	given := c.form.list("ThumbprintList")
	if len(given) == 0 {
		return nil, iam.Errorf(iam.InvalidInput, "Thumbprint list must contain at least one entry.")
	}
	thumbprints, err := checkThumbprints(given)
	if err != nil {
		return nil, err
	}
	return c.onProvider(noProvider, func(ref iam.Ref) iam.Command {
		return iam.UpdateProvider{Provider: ref, SetThumbprints: true, Thumbprints: thumbprints}
	})
}

func tagProvider(c *call) (any, error) {
	return c.onProvider(noProviderFound, func(ref iam.Ref) iam.Command { return iam.SetTags{On: ref, Set: c.form.tags()} })
}

func untagProvider(c *call) (any, error) {
	return c.onProvider(noProviderFound, func(ref iam.Ref) iam.Command { return iam.SetTags{On: ref, Remove: c.form.list("TagKeys")} })
}

func listProviderTags(c *call) (any, error) {
	p, err := c.provider(noProviderFound)
	if err != nil {
		return nil, err
	}
	return c.tagPage(p.Tags)
}

// checkExactTags is checkTags for providers, whose tag keys keep their case apart.
func checkExactTags(field string, members []member) (violations []string, err error) {
	violations, _ = checkTags(field, members)
	seen := map[string]bool{}
	for _, m := range members {
		if key := m.fields["Key"]; seen[key] {
			err = iam.Errorf(iam.InvalidInput, "Duplicate tag keys found.")
		} else {
			seen[key] = true
		}
	}
	return violations, err
}
