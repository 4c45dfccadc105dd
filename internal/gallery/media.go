package gallery

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"lumaflow/internal/media"
	"lumaflow/internal/store"
)

const (
	// linkLifetime is that of a signed link. A player that is open for longer needs a
	// reload of the page.
	linkLifetime = time.Hour
	// writeStall is the time without a byte accepted after which a transfer ends.
	// Browsers stop reading from a video that is paused and later request the rest.
	writeStall = 5 * time.Minute
	// inspectTimeout bounds the reading of a video's index.
	inspectTimeout = 3 * time.Second
)

type signer interface {
	SignedURL(ctx context.Context, name string, lifetime time.Duration) (string, error)
}

// signing sets the signer and returns the origin of its links, if the store can sign.
func (g *Gallery) signing(ctx context.Context, from Store) (origin string) {
	signs, ok := from.(signer)
	if !ok {
		return ""
	}
	link, err := signs.SignedURL(ctx, "probe.mp4", linkLifetime)
	if err != nil {
		g.options.Logger.InfoContext(ctx, "videos are streamed through the gallery, because the store signs no links", "error", err)
		return ""
	}
	parsed, err := url.Parse(link)
	if err != nil || parsed.Host == "" || strings.ContainsAny(parsed.Host, " ;,") {
		return ""
	}
	g.signer = signs
	return parsed.Scheme + "://" + parsed.Host
}

// listed answers a request for a file that no receipt lists.
func (g *Gallery) listed(w http.ResponseWriter, r *http.Request) (name string, ok bool) {
	name = r.PathValue("name")
	now := g.index.current.Load()
	if now.byName[name] != nil || now.sources[name] {
		return name, true
	}
	http.Error(w, "no receipt lists this file", http.StatusNotFound)
	return "", false
}

// media delivers a video to a player: by a signed link, else as a stream.
func (g *Gallery) media(w http.ResponseWriter, r *http.Request) {
	name, ok := g.listed(w, r)
	if !ok {
		return
	}
	if g.signer != nil {
		if link, err := g.signer.SignedURL(r.Context(), name, linkLifetime); err == nil {
			http.Redirect(w, r, link, http.StatusTemporaryRedirect) //nolint:gosec // the link is the store's own, of a listed name
			return
		}
	}
	// Browsers that play MOV do so by this type only.
	w.Header().Set("Content-Type", "video/mp4")
	g.stream(w, r, name)
}

// download delivers a video or a source as a file.
func (g *Gallery) download(w http.ResponseWriter, r *http.Request) {
	name, ok := g.listed(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", media.Video{Extension: strings.ToLower(path.Ext(name))}.ContentType())
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	g.stream(w, r, name)
}

func (g *Gallery) stream(w http.ResponseWriter, r *http.Request, name string) {
	file, err := g.store.Open(r.Context(), name)
	if err != nil {
		w.Header().Del("Content-Disposition")
		status := http.StatusBadGateway
		if isGone(err) {
			status = http.StatusNotFound
		} else if r.Context().Err() == nil {
			g.options.Logger.WarnContext(r.Context(), "a video can't be read", "file", name, "error", err)
		}
		http.Error(w, "the file can't be read", status)
		return
	}
	defer file.Close()
	out := &patientWriter{w, http.NewResponseController(w)}
	out.extend()
	seeker, ok := file.(io.ReadSeeker)
	if !ok {
		_, _ = io.Copy(out, file)
		return
	}
	var modified time.Time
	if dated, ok := file.(interface{ ModTime() time.Time }); ok {
		modified = dated.ModTime()
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	// No player requests several ranges at once. Each would be a request to a bucket.
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range")
	}
	http.ServeContent(out, r, "", modified, seeker)
}

// isGone reports whether a store has no such file, as opposed to a store that fails.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrNotRegular)
}

// patientWriter ends a transfer only after writeStall without progress.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *patientWriter) Write(p []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(p)
}

// extend replaces the server's deadline for a whole answer. Recorders of tests have no
// deadlines.
func (w *patientWriter) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(writeStall)) }

// receipt delivers a receipt as the store writes it, without credentials in its
// source address.
func (g *Gallery) receipt(w http.ResponseWriter, r *http.Request) {
	result := g.index.current.Load().byName[r.PathValue("name")]
	if result == nil {
		http.Error(w, "no receipt lists this file", http.StatusNotFound)
		return
	}
	receipt, err := g.store.Receipt(r.Context(), result.Receipt)
	var encoded []byte
	if err == nil {
		encoded, err = receipt.Encode()
	}
	if err != nil {
		http.Error(w, "the receipt can't be read", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": result.Receipt}))
	_, _ = w.Write(encoded)
}

type frameKey struct {
	name  string
	bytes int64
}

// frame is the duration of a frame of a video, 0 if it can't be found out in time.
func (g *Gallery) frame(ctx context.Context, name string) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	file, err := g.store.Open(ctx, name)
	if err != nil {
		return 0
	}
	defer file.Close()
	seeker, ok := file.(io.ReadSeeker)
	if !ok {
		return 0
	}
	size, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	key := frameKey{name, size}
	if known, ok := g.frames.Get(key); ok {
		return known
	}
	video, err := media.Inspect(media.ReaderAt(seeker), size)
	if err != nil {
		return 0
	}
	g.frames.Add(key, video.Frame)
	return video.Frame
}
