package browser_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const cardCount = `document.querySelectorAll('.card').length`

func TestSheet(t *testing.T) {
	s := newShelf(t)
	s.put(result{task: "t1", prompt: "snow on the roofs", job: "job-1", model: "luma", source: "source.mp4"})
	s.put(result{task: "t2", prompt: "oil painting", job: "job-2", model: "aleph", batch: "autumn", age: time.Hour})
	s.put(result{task: "t3", prompt: "ink drawing", job: "job-3", age: 50 * time.Hour})
	address := s.serve()
	p := open(t, 1280, 800)
	p.do(chromedp.Navigate(address))
	p.until(cardCount + ` === 3`)
	p.until(`document.querySelectorAll('.shot[data-poster=drawn]').length === 3`)
	assert.Equal(t, []string{"snow on the roofs", "oil painting", "ink drawing"},
		eval[[]string](p, `[...document.querySelectorAll('.prompt')].map(e => e.textContent)`), "newest first")
	assert.True(t, eval[bool](p, `[...document.querySelectorAll('.shot canvas')].every(c => c.width === 160 &&
		c.getContext('2d').getImageData(0, 0, 160, 90).data.some((v, i) => i % 4 !== 3 && v > 60))`), "the posters have pictures")

	// The keyboard: search, choose, open, come back, clear.
	p.press("/")
	p.until(`document.activeElement.name === 'q'`)
	p.press(kb.Escape, kb.ArrowDown)
	p.until(`document.activeElement.closest('.card')?.dataset.name === 'luma_result_t1_1.mp4'`)
	p.press(kb.ArrowRight)
	p.until(`document.activeElement.closest('.card')?.dataset.name === 'luma_result_t2_1.mp4'`)
	p.press("s")
	p.until(`document.activeElement.closest('.card').querySelector('[data-mark=star]').ariaPressed === 'true'`)
	p.press("/", "OIL", kb.Enter)
	p.until(`location.search === '?q=OIL' && ` + cardCount + ` === 1 && document.querySelector('.shot[data-poster=drawn]')`)
	exec(p, `document.querySelector('.card a').focus()`)
	p.press(kb.Enter)
	p.until(`location.pathname === '/compare' && document.querySelector('.place').textContent === '1 of 1' && document.getElementById('stage').style.getPropertyValue('--split')`)
	p.press(kb.Escape)
	p.until(`location.pathname === '/' && location.search.includes('q=OIL') && document.querySelector('.shot[data-poster=drawn]')`)
	p.press(kb.Escape)
	p.until(`location.search === '' && ` + cardCount + ` === 3`)

	for filter, want := range map[string]string{
		`document.querySelector('[name=model]').value = 'aleph'`:                                                  "oil painting",
		`document.querySelector('[name=batch]').value = 'autumn'`:                                                 "oil painting",
		`document.querySelector('[name=marked]').value = 'star'`:                                                  "oil painting",
		`document.querySelector('[name=to]').value = new Date(Date.now() - 30*3600e3).toISOString().slice(0, 10)`: "ink drawing",
	} {
		p.do(chromedp.Navigate(address))
		p.until(cardCount + ` === 3`)
		exec(p, filter+`; document.getElementById('filter').requestSubmit()`)
		p.until(`location.search !== '' && ` + cardCount + ` === 1`)
		assert.Equal(t, want, eval[string](p, `document.querySelector('.prompt').textContent`), filter)
	}
}

// A new result appears without a reload; those that are there keep their pictures.
func TestNewResultAppears(t *testing.T) {
	s := newShelf(t)
	address := s.serve()
	p := open(t, 1000, 700)
	p.do(chromedp.Navigate(address))
	p.until(`document.querySelector('.empty h1')?.textContent === 'No videos yet'`)
	assert.Contains(t, eval[string](p, `document.querySelector('.empty').innerText`), "lumaflow submit")
	exec(p, `window.same = true`)
	s.put(result{task: "t1", prompt: "first"})
	p.until(`document.querySelectorAll('.shot[data-poster=drawn]').length === 1`)
	s.put(result{task: "t2", prompt: "second", age: -time.Minute})
	p.until(cardCount + ` === 2 && document.querySelectorAll('.shot[data-poster=drawn]').length === 2`)
	assert.True(t, eval[bool](p, `window.same`), "the page was not reloaded")
}

func TestMarks(t *testing.T) {
	s := newShelf(t)
	s.put(result{task: "t1", prompt: "first", source: "source.mp4"})
	s.put(result{task: "t2", prompt: "second", age: time.Hour})
	address := s.serve()
	p := open(t, 1000, 700)
	p.do(chromedp.Navigate(address + "/compare?v=luma_result_t1_1.mp4"))
	p.press("a", "s", "n")
	p.until(`document.activeElement.id === 'note'`)
	p.press("=good, \"but\"\nlong")
	p.press(kb.Escape, "r", "a")
	p.do(chromedp.Reload())
	p.until(`document.querySelector('[data-mark=approved]').ariaPressed === 'true' && document.querySelector('[data-mark=rejected]').ariaPressed === 'false'`)
	assert.Contains(t, eval[string](p, `document.getElementById('note').value`), `=good, "but"`)

	p.do(chromedp.Navigate(address + "/?marked=approved"))
	p.until(cardCount + ` === 1`)
	// The files of an export are kept instead of saved.
	exec(p, `window.saved = []; URL.createObjectURL = blob => { saved.push(blob); return 'about:blank#' }; HTMLAnchorElement.prototype.click = () => {}`)
	p.do(chromedp.Click(chromedp.CSS(`.menu summary`)), chromedp.Click(chromedp.CSS(`[data-export=csv]`)), chromedp.Click(chromedp.CSS(`[data-export=json]`)))
	files := eval[[]string](p, `Promise.all(saved.map(blob => blob.text()))`)
	require.Len(t, files, 2)
	assert.True(t, strings.HasPrefix(files[0], "\"file\",\"star\",\"verdict\",\"note\"\r\n\"luma_result_t1_1.mp4\",\"star\",\"approved\",\"'=good, \"\"but\"\""), files[0])
	assert.JSONEq(t, `{"luma_result_t1_1.mp4":{"star":true,"verdict":"approved","note":`+eval[string](p, `JSON.stringify(JSON.parse(localStorage['lumaflow.marks'])['luma_result_t1_1.mp4'].note)`)+`}}`, files[1])

	for i, file := range files {
		exec(p, `localStorage.clear()`)
		path := filepath.Join(t.TempDir(), "marks")
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		p.do(chromedp.SetUploadFiles(chromedp.CSS(`#import`), []string{path}))
		p.until(`document.getElementById('imported').textContent === '1 marks imported.'`)
		assert.JSONEq(t, files[1], eval[string](p, `localStorage['lumaflow.marks']`), "file %d", i)
		exec(p, `document.getElementById('imported').textContent = ''`)
	}
	path := filepath.Join(t.TempDir(), "no marks")
	require.NoError(t, os.WriteFile(path, []byte(`{"x":`), 0o600))
	p.do(chromedp.SetUploadFiles(chromedp.CSS(`#import`), []string{path}))
	p.until(`document.getElementById('imported').textContent.startsWith('That file has no marks')`)
}

// No cell of an export is a formula in a spreadsheet, with any separator, and each note
// comes back. An import takes marks of videos only.
func TestHostileMarks(t *testing.T) {
	s := newShelf(t)
	address := s.serve()
	p := open(t, 1000, 700)
	p.do(chromedp.Navigate(address))
	require.True(t, eval[bool](p, `import('/static/marks.js').then(module => !!(window.marks = module))`))
	formula := regexp.MustCompile(`(?:^|[;\t\r\n]|,")[=+\-@＝＋－＠]`)
	for _, note := range []string{
		"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "''=1", "a;=1", "a;'=1", "x\n=1", "x\r\n@1", ";;=1", "＝1", `"=1"`, "a, b; c\n\"d\"", "it's -1",
	} {
		quoted, err := json.Marshal(note)
		require.NoError(t, err)
		exec(p, `localStorage.clear(); marks.setNote('a.mp4', `+string(quoted)+`)`)
		csv := eval[string](p, `marks.exported('csv')`)
		assert.NotRegexp(t, formula, csv, "%q", note)
		exec(p, `localStorage.clear(); marks.imported(marks.exported('json'))`)
		encoded, err := json.Marshal(csv)
		require.NoError(t, err)
		assert.Equal(t, 1, eval[int](p, `marks.imported(`+string(encoded)+`)`), "%q", note)
		assert.Equal(t, note, eval[string](p, `marks.noteOf('a.mp4')`))
	}
	imported := func(text string) string {
		encoded, err := json.Marshal(text)
		require.NoError(t, err)
		exec(p, `localStorage.clear()`)
		return eval[string](p, `(() => { try { marks.imported(`+string(encoded)+`); return localStorage['lumaflow.marks'] } catch (error) { return error.message } })()`)
	}
	assert.JSONEq(t, `{"b.mov":{"star":true}}`, imported(`{"__proto__":{"star":true},"constructor":{"star":true},"../x":{"star":true},
		"a.mp4":{"star":"yes","verdict":"<img>","note":7},"b.mov":{"star":true,"other":1}}`))
	assert.JSONEq(t, `{"b.mov":{"verdict":"approved"}}`, imported("file,verdict\n__proto__,approved\na.mp4,odd\nb.mov,approved\n"))
	assert.Equal(t, "line 2 is malformed", imported("file,note\na.mp4,\"b\"c\nb.mov,d\n"))
	assert.Equal(t, "the first line must name the column file", imported("null"))
	assert.True(t, eval[bool](p, `({}).star === undefined && ({}).verdict === undefined`))
}

// Texts of a receipt are shown as text.
func TestHostileReceipt(t *testing.T) {
	const evil = `</script><script>window.evil=1</script><img src=x onerror="window.evil=1">'"--><svg onload=alert(1)>`
	s := newShelf(t)
	name := s.put(result{task: "t1", prompt: evil, job: `$(reboot)'` + evil, model: evil, batch: `" onfocus="window.evil=1" autofocus="` + evil, source: "source.mp4"})
	s.put(result{task: "t2", prompt: "javascript:alert(1)", model: "b", job: "javascript:alert(1)", age: time.Hour})
	require.NoError(t, os.WriteFile(filepath.Join(s.path, `luma_result_<img src=x onerror=alert(1)>.json`), []byte(`{"version":2}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(s.path, `luma_result_broken.json`), []byte(`{"version":1,"taskId":"t","files":[{"name":"../../etc/passwd"}]}`), 0o600))
	address := s.serve("--temporal-ui", "http://127.0.0.1:1/ui")
	p := open(t, 1280, 800)
	p.do(chromedp.Navigate(address))
	p.until(`document.querySelectorAll('.shot[data-poster=drawn]').length === 2`)
	assert.Equal(t, evil, eval[string](p, `document.querySelector('.prompt').textContent`))
	assert.Contains(t, eval[string](p, `document.querySelector('details.notice').textContent`), "2 receipts can't be used")
	p.do(chromedp.Navigate(address + "/compare?v=" + name))
	p.until(`document.getElementById('b').readyState >= 2 && document.getElementById('a').readyState >= 2`)
	assert.Equal(t, evil, eval[string](p, `document.querySelector('h1').textContent`))
	assert.Equal(t, `lumaflow status -- '$(reboot)'\''`+strings.ReplaceAll(evil, "'", `'\''`)+`'`, eval[string](p, `document.getElementById('command').textContent`))
	assert.True(t, strings.HasPrefix(eval[string](p, `document.getElementById('temporal').href`), "http://127.0.0.1:1/ui/namespaces/default/workflows/$%28reboot%29"),
		eval[string](p, `document.getElementById('temporal').href`))
	assert.False(t, eval[bool](p, `'evil' in window || !!document.querySelector('img, svg[onload]')`))
}
