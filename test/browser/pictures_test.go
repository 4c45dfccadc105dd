package browser_test

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// picturesVariable names the folder for the pictures of the README; tools/pictures
// sets it.
const picturesVariable = "LUMAFLOW_PICTURES"

// TestPictures writes the pictures of the README: the sheet and a comparison, of clips
// that ffmpeg makes.
func TestPictures(t *testing.T) {
	folder := os.Getenv(picturesVariable)
	if folder == "" {
		t.Skip(picturesVariable + " is not set: no pictures are written")
	}
	clips := t.TempDir()
	// Hills at dawn, a sea with a low sun, and a skyline: layers whose edges are waves.
	scene := func(far, middle, near, sun string) string {
		layers := func(sky, glow, a, b, c string) string {
			return "if(gt(Y,H*(" + near + "))," + c + ",if(gt(Y,H*(" + middle + "))," + b + ",if(gt(Y,H*(" + far + "))," + a +
				",if(lt(hypot(X-W*" + sun + "),H*.11)," + glow + "," + sky + "))))"
		}
		return "color=black:size=240x135:rate=12:duration=2,format=rgb24,geq=r='" + layers("236-Y/H*70", "255", "150", "86", "38") + "':g='" +
			layers("190-Y/H*20", "236", "128", "92", "52") + "':b='" + layers("150+Y/H*60", "190", "150", "104", "60") + "',scale=480:270:flags=bicubic,fps=24"
	}
	sources := []string{
		scene(".5+.1*sin(X/35+T*.4)+.04*sin(X/12+T*.4)", ".66+.08*sin(X/28+1.5+T*.8)+.03*sin(X/9+2)", ".82+.06*sin(X/23+3+T*1.2)", ".7,Y-H*.27"),
		scene(".56+.006*sin(X/5+T*3)", ".68+.02*sin(X/15+T*2)+.01*sin(X/6)", ".84+.03*sin(X/19+T*2.6)", ".35,Y-H*.45"),
		scene(".5-.14*abs(sin(floor(X/11+T*.5)*12.9))", ".72-.2*abs(sin(floor(X/18+T)*7.7))", ".95-.22*abs(sin(floor(X/30+T*1.6)*5.3))", ".55,Y-H*.3"),
	}
	styles := []struct{ prompt, model, filter string }{
		{"Turn it into a snowy winter night", "luma", "curves=preset=darker,colorchannelmixer=rr=.55:gg=.75:bb=1.35,noise=alls=14:allf=t,gblur=sigma=.6"},
		{"Ink drawing, fine lines on old paper", "aleph", "edgedetect=low=.04:high=.1,negate,colorchannelmixer=rr=.96:gg=.9:bb=.78"},
		{"Warm evening light, oil paint, thick strokes", "luma", "colortemperature=3000,median=radius=6,eq=saturation=1.7:contrast=1.2"},
		{"Mosaic of small glass tiles", "wan/2-7-videoedit", "pixelize=w=12:h=12,hue=h=35,eq=contrast=1.2:saturation=1.8"},
		{"Neon outlines at night", "aleph", "edgedetect=mode=colormix:high=.06,negate,hue=h=200:s=2.4"},
	}
	ffmpeg := func(out string, arguments ...string) string {
		path := filepath.Join(clips, out)
		made := osexec.Command("ffmpeg", append(append([]string{"-nostdin", "-v", "error", "-y"}, arguments...),
			"-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p", path)...)
		output, err := made.CombinedOutput()
		require.NoError(t, err, string(output))
		return path
	}
	s := newShelf(t)
	var kept []string
	for i, source := range sources {
		kept = append(kept, ffmpeg(string(rune('0'+i))+".mp4", "-f", "lavfi", "-i", source))
	}
	first := ""
	for i := range 15 {
		from, style := kept[i%len(kept)], styles[i%len(styles)]
		name := s.put(result{
			task: string(rune('a'+i)) + "41f0c9d27b8e4d5fa6c1e0b3d2907c5", job: "luma-" + string(rune('a'+i)) + "93be1d4c02f", prompt: style.prompt, model: style.model,
			batch: []string{"autumn", ""}[i%2], clip: ffmpeg("result.mp4", "-i", from, "-vf", style.filter), source: from, age: time.Duration(i*53) * time.Minute,
		})
		if i == 0 {
			first = name
		}
	}
	address := s.serve("--temporal-ui", "http://localhost:8233")
	shoot := func(p *tab, name string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), run(p, chromedp.CaptureScreenshot()), 0o644))
	}
	p := open(t, 1280, 860)
	p.prefer("light")
	p.do(chromedp.Navigate(address))
	const drawn = `document.querySelector('.shot') && [...document.querySelectorAll('.shot')].every(shot =>
		shot.dataset.poster === 'drawn' || shot.getBoundingClientRect().top > innerHeight)`
	const compare = ready + ` && document.querySelectorAll('.takes .shot[data-poster=drawn]').length >= 3`
	p.until(`document.querySelectorAll('.shot[data-poster=drawn]').length >= 12`)
	// A browser without a mouse shows all buttons, and the store is a temporary folder.
	exec(p, `localStorage['lumaflow.marks'] = JSON.stringify(Object.fromEntries([...document.querySelectorAll('.card')].map((card, i) =>
		[card.dataset.name, {star: i === 2, verdict: i === 0 ? 'approved' : i === 5 ? 'rejected' : ''}])))`)
	p.do(chromedp.Reload())
	p.until(`document.querySelectorAll('.shot[data-poster=drawn]').length >= 12`)
	exec(p, `document.querySelector('.store').hidden = true; for (const button of document.querySelectorAll('.card button')) button.hidden = button.ariaPressed !== 'true'`)
	shoot(p, "gallery.png")
	p.do(chromedp.Navigate(address + "/compare?f=20&split=46&v=" + first))
	p.until(compare)
	shoot(p, "compare.png")
	if os.Getenv("LUMAFLOW_PICTURES_ALL") == "" {
		return
	}
	for _, size := range []struct{ width, height int64 }{{400, 860}, {1280, 860}, {2000, 1200}} {
		for _, scheme := range []string{"light", "dark"} {
			p.prefer(scheme)
			p.do(chromedp.EmulateViewport(size.width, size.height))
			for name, page := range map[string]struct{ path, drawn string }{
				"gallery": {"", drawn},
				"compare": {"/compare?f=20&v=" + first, ready + " && " + drawn},
				"side":    {"/compare?f=20&view=side&v=" + first, ready + " && " + drawn},
			} {
				p.do(chromedp.Navigate(address + page.path))
				p.until(page.drawn)
				shoot(p, fmt.Sprintf("%s-%d-%s.png", name, size.width, scheme))
			}
		}
	}
}
