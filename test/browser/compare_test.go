package browser_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ready is true once the script runs, and both sides show a picture and do not seek.
const ready = `document.getElementById('stage')?.style.getPropertyValue('--split') && ['a', 'b'].every(id => { const v = document.getElementById(id); return v.readyState >= 2 && !v.seeking })`

// watchFrames records the media time of the last frame that each side presented.
const watchFrames = `window.shown = {}; for (const id of ['a', 'b']) {
	const video = document.getElementById(id);
	const record = (_, frame) => { shown[id] = frame.mediaTime; video.requestVideoFrameCallback(record); };
	video.requestVideoFrameCallback(record);
}`

// openComparison opens a result with a source of another frame rate and length.
func openComparison(t *testing.T, parameters string) *tab {
	t.Helper()
	s := newShelf(t)
	name := s.put(result{task: "t1", prompt: "snow", job: "job-1", source: "source.mp4"})
	address := s.serve()
	p := open(t, 1280, 900)
	p.do(chromedp.Navigate(address + "/compare?v=" + name + parameters))
	p.until(ready)
	return p
}

func TestCompare(t *testing.T) {
	p := openComparison(t, "")
	frame := func() int { return eval[int](p, `Number(document.getElementById('scrub').value)`) }
	edge := func() string {
		return eval[string](p, `getComputedStyle(document.getElementById('side-b')).clipPath`)
	}
	assert.Equal(t, "inset(0px 0px 0px 50%)", edge())

	// The divider, by keyboard and by touch.
	exec(p, `document.getElementById('split').focus()`)
	p.press(kb.ArrowRight, kb.ArrowRight)
	p.until(`document.getElementById('split').value === '51'`)
	assert.Equal(t, "inset(0px 0px 0px 51%)", edge())
	at := eval[[]float64](p, `(r => [r.x, r.y, r.width, r.height])(document.getElementById('stage').getBoundingClientRect())`)
	finger := func(kind input.DispatchTouchEventType, at ...*input.TouchPoint) {
		call(p, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: at})
	}
	point := func(x float64) *input.TouchPoint {
		return &input.TouchPoint{X: at[0] + at[2]*x, Y: at[1] + at[3]/2}
	}
	p.do(chromedp.EmulateViewport(1280, 900, chromedp.EmulateTouch))
	finger(input.DispatchTouchEventTypeTouchStart, point(0.51))
	finger(input.DispatchTouchEventTypeTouchMove, point(0.4))
	finger(input.DispatchTouchEventTypeTouchMove, point(0.25))
	finger(input.DispatchTouchEventTypeTouchEnd)
	p.until(`Math.abs(document.getElementById('split').value - 25) <= 1`)

	// Steps by frames.
	exec(p, `document.activeElement.blur()`)
	assert.Equal(t, 0, frame())
	p.press(kb.ArrowRight, kb.ArrowRight, kb.ArrowRight, kb.ArrowLeft)
	assert.Equal(t, 2, frame())
	p.press(kb.End)
	assert.Equal(t, 47, frame(), "the source lasts 2 s, which are 48 frames of the result")
	p.press(kb.Home, kb.ArrowRight, kb.ArrowRight, kb.ArrowRight, kb.ArrowRight, kb.ArrowRight)

	// The other views, and the address that restores all.
	p.press("2")
	p.until(`getComputedStyle(document.getElementById('side-b')).clipPath === 'none' &&
		document.getElementById('side-a').getBoundingClientRect().right <= document.getElementById('side-b').getBoundingClientRect().left`)
	p.press("b")
	p.until(`getComputedStyle(document.getElementById('side-b')).visibility === 'hidden' && getComputedStyle(document.getElementById('side-a')).visibility === 'visible'`)
	p.press("b")
	p.until(`getComputedStyle(document.getElementById('side-a')).visibility === 'hidden'`)
	p.press("b", "]", "]", "[", "]", "f", "l", "m", "M")
	p.until(`location.search.includes('f=5') && location.search.includes('sound=ab')`)
	address := eval[string](p, `location.href`)
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	split := parsed.Query().Get("split")
	require.NotEmpty(t, split)
	want := url.Values{"v": {"luma_result_t1_1.mp4"}, "view": {"ab"}, "show": {"a"}, "offset": {"2"}, "fit": {"fill"}, "loop": {"0"}, "sound": {"ab"}, "f": {"5"}, "split": {split}}
	assert.Equal(t, want, parsed.Query())

	// Another tab of the same address shows the same.
	p.do(chromedp.Navigate("about:blank"), chromedp.Navigate(address))
	p.until(ready + ` && Math.abs(document.getElementById('b').currentTime - 5.5/24) < 0.001`)
	assert.Equal(t, []any{"ab", "a", "fill", "2 frames", split, false, false, "5"}, eval[[]any](p, `(s => [s.dataset.view, s.dataset.show, s.dataset.fit,
		document.getElementById('offset').value, document.getElementById('split').value, document.getElementById('a').muted, document.getElementById('b').muted,
		document.getElementById('scrub').value])(document.getElementById('stage'))`))
	assert.InDelta(t, 7.5/24, eval[float64](p, `document.getElementById('a').currentTime`), 0.001, "the offset shifts the source")
}

// While scrubbing, both sides show the same time within one frame of the slower side.
func TestScrubbingKeepsStep(t *testing.T) {
	p := openComparison(t, "")
	exec(p, watchFrames)
	worst := eval[float64](p, `(async () => {
		const scrub = document.getElementById('scrub'), a = document.getElementById('a'), b = document.getElementById('b');
		// A frame is presented some time after its seek has ended, and the next seek begins
		// some time after the one before. The source has 30 frames a second.
		const rest = () => !a.seeking && !b.seeking && Math.abs(a.currentTime - b.currentTime) < 0.002;
		const rate = {a: 30, b: 24};
		const stale = () => [a, b].filter(v => Math.floor(shown[v.id] * rate[v.id] + 0.01) !== Math.floor(v.currentTime * rate[v.id]));
		const presented = n => new Promise((resolve, reject) => {
			const end = performance.now() + 30000;
			let since = performance.now();
			const check = now => {
				if (!rest()) since = now;
				else if (Math.floor(b.currentTime * 24) === n && !stale().length) return resolve();
				else if (now - since > 1000) {
					// Chromium reports no frame that it presents between a callback and the next
					// request. A seek within the frame presents it again.
					for (const v of stale()) v.currentTime += v.currentTime * 24 % 1 > 0.5 ? -0.0005 : 0.0005;
					since = now;
				}
				if (now > end) return reject(new Error('frame ' + n + ' is wanted and ' + JSON.stringify(shown) + ' shown at ' + JSON.stringify([a, b].map(v => [v.currentTime, v.seeking, v.readyState]))));
				requestAnimationFrame(check);
			};
			requestAnimationFrame(check);
		});
		let worst = 0;
		for (const n of [3, 30, 10, 11, 12, 33, 0, 20, 5, 34, 1, 17]) {
			// A quick drag: several positions before the first is reached.
			for (const on of [n + 5, n + 2, n]) { scrub.value = on; scrub.dispatchEvent(new Event('input', {bubbles: true})); }
			await presented(n);
			worst = Math.max(worst, Math.abs(shown.a - shown.b));
		}
		return worst;
	})()`)
	t.Logf("the largest difference while scrubbing is %.1f ms", worst*1000)
	assert.LessOrEqual(t, worst, 1/24.0)
	assert.Greater(t, worst, 0.0, "the frame rates differ, so some times do")
}

// The side that ends first does not stop the other, and a loop restarts both.
func TestPlaying(t *testing.T) {
	p := openComparison(t, "&loop=0")
	eval[any](p, watchFrames+`; window.differences = []; setInterval(() => {
		if (!a.paused && !b.paused && !a.seeking && !b.seeking && b.currentTime > 0.5 && b.currentTime < 1.4) differences.push(Math.abs(a.currentTime - b.currentTime)) }, 20)`)
	p.press(" ")
	p.until(`document.getElementById('play').ariaLabel === 'Pause'`)
	p.until(`document.getElementById('b').ended && document.getElementById('a').currentTime > 1.6`)
	p.until(`document.getElementById('play').ariaLabel === 'Play' && document.getElementById('scrub').value === '47'`)
	assert.GreaterOrEqual(t, eval[float64](p, `shown.a`), 1.9, "the source played to its end")
	count, median := eval[int](p, `differences.length`), eval[float64](p, `differences.sort((x, y) => x - y)[differences.length >> 1]`)
	t.Logf("%d samples while both play, half of them within %.1f ms", count, median*1000)
	assert.LessOrEqual(t, median, 1/24.0)
	p.press("l", " ")
	p.until(`document.getElementById('a').currentTime > 1.7`)
	p.until(`document.getElementById('a').currentTime < 1 && !document.getElementById('b').paused && document.getElementById('b').currentTime < 1`)
	p.press(" ")
	p.until(`document.getElementById('a').paused && document.getElementById('b').paused`)
}

// Two results of the same source: the key t picks the second.
func TestTakes(t *testing.T) {
	s := newShelf(t)
	name := s.put(result{task: "t1", prompt: "snow", source: "source.mp4"})
	s.put(result{task: "t2", prompt: "rain", source: "source.mp4", age: time.Hour})
	s.put(result{task: "t3", prompt: "another source", age: 2 * time.Hour})
	address := s.serve()
	p := open(t, 1280, 900)
	p.do(chromedp.Navigate(address + "/compare?v=" + name))
	p.until(ready)
	p.press("t")
	p.until(`location.search.includes('with=luma_result_t2_1.mp4') && document.getElementById('a')?.src.endsWith('/media/luma_result_t2_1.mp4')`)
	p.until(ready)
	assert.Equal(t, "Other result", eval[string](p, `document.querySelector('#side-a .tag').textContent`))
	p.press("t")
	p.until(`!location.search.includes('with=') && document.getElementById('a')?.src.endsWith('/media/luma_source_t1.mp4')`)
	p.until(ready)
	p.press("j")
	p.until(`location.search.includes('v=luma_result_t2_1.mp4')`)
}

// A side that can't be played has a text and the download, and does not stop the other.
func TestUnplayable(t *testing.T) {
	s := newShelf(t)
	name := s.put(result{task: "t1", prompt: "prores", clip: "prores.mov", source: "source.mp4"})
	address := s.serve()
	p := open(t, 1280, 900)
	p.do(chromedp.Navigate(address + "/compare?v=" + name))
	const fault = `document.querySelector('#side-b .fault:not([hidden])')?.innerText`
	p.until(fault + `?.includes("can’t play the format")`)
	assert.Equal(t, "/download/"+name, eval[string](p, `document.querySelector('#side-b .fault a').pathname`))
	p.press(" ")
	p.until(`document.getElementById('a').currentTime > 0.3`)
	p.press(" ")

	alone := s.put(result{task: "t2", prompt: "no source"})
	p.do(chromedp.Navigate(address + "/compare?v=" + alone))
	p.until(`document.getElementById('b')?.readyState >= 2 && document.getElementById('no-source').textContent.includes('KEEP_SOURCE=true')`)

	// A file that is deleted while its page is open.
	p.do(chromedp.Navigate("about:blank"))
	require.NoError(t, os.Remove(filepath.Join(s.path, alone)))
	p.do(chromedp.Navigate(address + "/compare?v=" + alone))
	p.until(fault + `?.includes("is gone from the store")`)
	p.expected("status 404")
	p.expected("log: Failed to load resource")
}
