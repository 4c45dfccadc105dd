package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nameless returns the roles of controls without a name.
func nameless(p *tab) (roles []string, controls int) {
	p.t.Helper()
	nodes := call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	text := func(value *accessibility.Value) string {
		if value == nil {
			return ""
		}
		return strings.Trim(string(value.Value), `"`)
	}
	for _, node := range nodes {
		if node.Ignored {
			continue
		}
		switch role := text(node.Role); role {
		case "button", "link", "textbox", "searchbox", "slider", "combobox", "radio", "Date", "group", "navigation", "search", "Video":
			if controls++; text(node.Name) == "" && role != "search" {
				roles = append(roles, role)
			}
		}
	}
	return roles, controls
}

// contrasts returns the texts whose contrast with their background is below 4.5, the
// limit of WCAG 2.2 level AA.
const contrasts = `(() => {
	const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
	const rgba = colour => { context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1); const d = context.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
	const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const background = e => { const stack = []; for (; e; e = e.parentElement) stack.push(rgba(getComputedStyle(e).backgroundColor));
		return stack.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
	const low = [];
	let texts = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; node = walker.nextNode();) {
		const e = node.parentElement;
		if (!node.data.trim() || !e.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true}) || e.closest('noscript, option, .marks button, .stage')) continue;
		texts++;
		const behind = background(e), a = light(over(rgba(getComputedStyle(e).color), behind)), b = light(behind);
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < 4.5) low.push(contrast.toFixed(2) + ' ' + node.data.trim().slice(0, 40));
	}
	if (texts < 3) low.push('only ' + texts + ' texts');
	return low;
})()`

func TestAccessibility(t *testing.T) {
	s := newShelf(t)
	name := s.put(result{task: "t1", prompt: "snow", job: "job-1", model: "luma", batch: "autumn", source: "source.mp4"})
	s.put(result{task: "t2", prompt: "rain", job: "job-2", model: "aleph", source: "source.mp4", age: time.Hour})
	address := s.serve("--temporal-ui", "http://127.0.0.1:1")
	for _, path := range []string{"/", "/compare?v=" + name, "/?q=nothing", "/compare?v=missing"} {
		p := open(t, 1280, 900)
		p.do(chromedp.Navigate(address + path))
		p.until(`document.readyState === 'complete'`)
		if strings.Contains(path, "missing") {
			p.expected("status 404")
			p.expected("log: Failed to load resource")
		}
		roles, controls := nameless(p)
		assert.Empty(t, roles, path)
		assert.Positive(t, controls, path)
		assert.NotEmpty(t, eval[string](p, `document.title`))
		assert.True(t, eval[bool](p, `document.documentElement.lang === 'en' && !!document.querySelector('main')`), path)
		for _, scheme := range []string{"light", "dark"} {
			p.prefer(scheme)
			assert.Empty(t, eval[[]string](p, contrasts), "%s, %s", path, scheme)
		}
		// Each control that the Tab key reaches shows the focus.
		for range 12 {
			p.press(kb.Tab)
			assert.True(t, eval[bool](p, `(e => { if (!e || e === document.body) return true;
				const shows = (e, pseudo) => { const s = getComputedStyle(e, pseudo); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 };
				return e.matches('#split') || shows(e) || [e.parentElement, e.nextElementSibling].some(o => o && shows(o)) })(document.activeElement)`),
				"%s: %s", path, eval[string](p, `document.activeElement.outerHTML.slice(0, 200)`))
		}
		// No page is wider than its window.
		for _, width := range []int64{400, 1280, 2000} {
			p.do(chromedp.EmulateViewport(width, 900))
			assert.LessOrEqual(t, eval[int64](p, `document.documentElement.scrollWidth`), width, path)
		}
	}
}

func TestToken(t *testing.T) {
	const token = "0123456789abcdef0123456789abcdef-+/ &"
	s := newShelf(t)
	s.put(result{task: "t1", prompt: "snow"})
	address := s.serve("--token", token)
	p := open(t, 1000, 700)
	p.do(chromedp.Navigate(address))
	p.until(`document.querySelector('h1').textContent === 'This gallery needs its token.'`)
	p.expected("status 401")
	p.expected("log: Failed to load resource")
	p.do(chromedp.SendKeys(chromedp.CSS(`[name=token]`), token+kb.Enter))
	p.until(`location.search === '' && document.querySelectorAll('.shot[data-poster=drawn]').length === 1`)
	require.Empty(t, eval[string](p, `document.cookie`), "scripts can't read the cookie")
	p.do(chromedp.Reload())
	p.until(cardCount + ` === 1`)
}
