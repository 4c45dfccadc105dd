// Package browser tests the gallery in a real browser. It is a module of its own, so
// that the browser's protocol is no dependency of lumaflow.
package browser

// The first two clips differ in frame rate and length. The last one is in a format that
// Chromium does not play.
//
//go:generate ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=160x90:rate=30:duration=2 -f lavfi -i sine=frequency=440:duration=2 -c:v libx264 -preset slow -pix_fmt yuv420p -crf 30 -g 15 -c:a aac -b:a 32k -map_metadata -1 -fflags +bitexact -flags:v +bitexact -movflags +faststart testdata/source.mp4
//go:generate ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=160x90:rate=24:duration=1.5 -vf hue=h=120 -c:v libx264 -preset slow -pix_fmt yuv420p -crf 30 -g 12 -map_metadata -1 -fflags +bitexact -flags:v +bitexact -movflags +faststart testdata/result.mp4
//go:generate ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=64x36:rate=24 -frames:v 2 -c:v prores_ks -profile:v 0 -map_metadata -1 -fflags +bitexact testdata/prores.mov
