package kietest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"slices"
	"sync"
)

// The stock clips are generated from ffmpeg's test sources: one with the index in
// front, one with the index at the end, one in portrait format.
//
//go:generate ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=320x180:rate=24:duration=3 -c:v libx264 -preset slow -pix_fmt yuv420p -crf 23 -map_metadata -1 -fflags +bitexact -flags:v +bitexact -movflags +faststart clips/squares.mp4
//go:generate ffmpeg -nostdin -v error -y -f lavfi -i mandelbrot=size=320x180:rate=24:end_scale=0.01,trim=duration=4 -c:v libx264 -preset slow -pix_fmt yuv420p -crf 30 -map_metadata -1 -fflags +bitexact -flags:v +bitexact clips/fractal.mp4
//go:generate ffmpeg -nostdin -v error -y -f lavfi -i life=size=90x160:rate=24:mold=10:ratio=0.1:seed=7:death_color=#C83232:life_color=#00ff88:mold_color=#223366,trim=duration=5,scale=180:320:flags=neighbor -c:v libx264 -preset slow -pix_fmt yuv420p -crf 34 -map_metadata -1 -fflags +bitexact -flags:v +bitexact -movflags +faststart clips/portrait.mp4

//go:embed clips/*.mp4
var clipFiles embed.FS

// SourcePath is the path of a stock clip that may serve as the source of a task.
const SourcePath = "/clips/squares.mp4"

type clip struct {
	name    string
	content []byte
	sha256  string
}

// clips are loaded on first use: most processes need none.
var clips = sync.OnceValue(loadClips)

func loadClips() []clip {
	var loaded []clip
	for _, name := range []string{"squares.mp4", "fractal.mp4", "portrait.mp4"} {
		content, err := clipFiles.ReadFile(path.Join("clips", name))
		if err != nil {
			panic(err) // the build embeds them
		}
		sum := sha256.Sum256(content)
		loaded = append(loaded, clip{name: name, content: content, sha256: hex.EncodeToString(sum[:])})
	}
	return loaded
}

// sourceClip serves a stock clip under its file name.
func (s *Server) sourceClip(w http.ResponseWriter, r *http.Request) {
	stock := clips()
	i := slices.IndexFunc(stock, func(c clip) bool { return c.name == r.PathValue("name") })
	if i < 0 {
		missing(w)
		return
	}
	s.send(w, r, video{stock: stock[i].content, size: int64(len(stock[i].content)), sha256: stock[i].sha256})
}
