// Package embed is the authorizer inside an S3 server written in Go: what the sidecar is
// to other servers, without a socket. It joins the store as a sidecar does, follows it,
// keeps a sealed snapshot, and answers from memory.
//
//	host, err := embed.Open(ctx, embed.Config{Nodes: []string{"store-1:8471"}, State: "/var/lib/my-s3/doorward", Token: token})
//	…
//	go host.Run(ctx)
//	…
//	var d sidecar.Decision
//	host.Authorizer().Authorize(r.Context(), &request, &d) // only an Allow lets a request pass
package embed
