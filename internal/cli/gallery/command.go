// Package gallery is the command that shows the stored videos in a browser.
package gallery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/command/serving"
	"lumaflow/internal/gallery"
	"lumaflow/internal/store"
)

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	// pageTimeout bounds the answer to a browser that reads slowly. That of a video has
	// a bound for each write instead.
	pageTimeout = time.Minute
	idleTimeout = 2 * time.Minute
	// drainTimeout is short: a player that is open is a request in flight.
	drainTimeout = time.Second
	// minTokenBytes rules out guessing a token.
	minTokenBytes = 32
	createToken   = "make one with: openssl rand -hex 32"
	// folderInterval and bucketInterval are the least times between two listings.
	// Clouds charge for them.
	folderInterval = 2 * time.Second
	bucketInterval = 15 * time.Second
)

// Command is lumaflow gallery.
type Command struct {
	OutputURL  string `arg:"" optional:"" name:"output-url" env:"OUTPUT_URL" default:"./videos" help:"Where the videos are: a path, or a file://, s3://, gs:// or azblob:// URL (${default})."`
	Listen     string `env:"GALLERY_LISTEN" default:"127.0.0.1:8088" placeholder:"ADDRESS" help:"Address to listen on, host:port; port 0 takes a free one (${default})."`
	Token      string `env:"GALLERY_TOKEN" secret:"" placeholder:"TOKEN" help:"Token that a browser needs once, of at least 32 bytes. Required unless the listen address is a loopback address."`
	TemporalUI string `name:"temporal-ui" env:"TEMPORAL_UI" placeholder:"URL" help:"Address of the Temporal UI in the browser, like http://localhost:8233: each video then links to its job."`
	Namespace  string `env:"TEMPORAL_NAMESPACE" default:"default" placeholder:"NAME" help:"Temporal namespace of the jobs, for the links (${default})."`

	command.Logging `embed:"" set:"log_level=warn"`
}

// Help describes the gallery.
func (Command) Help() string {
	return `Shows all stored videos, each beside its source, on a page for the browser. The pages are made from the receipts alone,
without Temporal and kie.ai; they are read-only, and new videos appear by themselves. Sources are there if the worker ran
with KEEP_SOURCE=true. Marks and notes stay in the browser; they can be exported and imported.

On a loopback address the gallery answers this machine only. On any other address each browser needs the token once, in
the link http://HOST:8088/?token=TOKEN; a cookie keeps it for 30 days. Use TLS in front of it on an open network.
` + command.SecretsHelp + `

Examples:
  lumaflow gallery
  lumaflow gallery /srv/videos --temporal-ui http://localhost:8233
  lumaflow gallery "s3://my-bucket?region=eu-central-1&prefix=videos/"
  GALLERY_TOKEN=$(openssl rand -hex 32) lumaflow gallery /srv/videos --listen :8088`
}

// Run prints the address of the gallery and serves it until ctx ends.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	opened, err := store.OpenExisting(ctx, c.OutputURL)
	if err != nil {
		if _, malformed := errors.AsType[*store.URLError](err); malformed {
			err = command.Usagef("%w", err)
		}
		return err
	}
	listener, err := command.Listen(ctx, "GALLERY_LISTEN", c.Listen)
	if err != nil {
		return err
	}
	hint := ""
	if c.Token != "" {
		hint = "?token=TOKEN (the value of GALLERY_TOKEN, once in each browser)"
	}
	_, _ = fmt.Fprintf(streams.Out, "gallery of %s: http://%s/%s\n", shown(c.OutputURL), reachable(listener.Addr()), hint)
	return Serve(ctx, listener, opened, gallery.Options{
		Token: c.Token, TemporalUI: c.TemporalUI, Namespace: c.Namespace, Shown: shown(c.OutputURL), Logger: c.Logger(streams.Err),
	})
}

// Serve serves the gallery of a store on a listener, which it owns, until ctx ends.
// Times are those of this machine's time zone.
func Serve(ctx context.Context, listener net.Listener, from store.Store, options gallery.Options) error {
	options.Location, options.Interval = time.Local, bucketInterval
	if _, local := from.(interface{ Folder() string }); local {
		options.Interval = folderInterval
	}
	pages := gallery.New(ctx, from, options)
	running, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	reading.Go(func() { pages.Run(running) })
	defer reading.Wait()
	defer stop()
	return serving.Run(ctx, listener, &http.Server{
		Handler:           pages,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      pageTimeout,
		IdleTimeout:       idleTimeout,
	}, "gallery", drainTimeout, options.Logger)
}

func (c *Command) check() error {
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		return command.Usagef("GALLERY_LISTEN is %q: give host:port, like 127.0.0.1:8088", c.Listen)
	case c.Token == "" && !gallery.IsLoopback(host):
		return command.Usagef("GALLERY_TOKEN is not set but the gallery would listen on %s, which other machines can reach; %s", c.Listen, createToken)
	case c.Token != "" && len(c.Token) < minTokenBytes:
		return command.Usagef("GALLERY_TOKEN has %d bytes but needs at least %d; %s", len(c.Token), minTokenBytes, createToken)
	}
	if c.TemporalUI == "" {
		return nil
	}
	parsed, err := url.Parse(c.TemporalUI)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.RawQuery+parsed.Fragment != "" {
		return command.Usagef("--temporal-ui is %q: give the address of the UI, like http://localhost:8233", c.TemporalUI)
	}
	return nil
}

// shown is the store as the pages name it: a bucket's URL without its parameters.
func shown(outputURL string) string {
	plain, _, _ := strings.Cut(outputURL, "?")
	return plain
}

// reachable is the address to open: the loopback address if the listener has all.
func reachable(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
