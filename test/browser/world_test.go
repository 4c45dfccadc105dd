package browser_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

var (
	// binary is lumaflow: that in LUMAFLOW_BINARY, else built from this checkout.
	binary string
	// chromium is empty if there is none.
	chromium string
)

// patience bounds each step of a test. Machines of CI are slow.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := osexec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		fmt.Println("chromium is missing: the gallery is not tested in a browser (apt-get install chromium)")
		os.Exit(0)
	}
	folder, err := os.MkdirTemp("", "lumaflow-browser-")
	if binary = os.Getenv("LUMAFLOW_BINARY"); binary == "" && err == nil {
		binary = filepath.Join(folder, "lumaflow")
		build := osexec.Command("go", "build", "-o", binary, ".")
		build.Dir, build.Stderr = "../..", os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build lumaflow:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// shelf is a folder of videos and receipts.
type shelf struct {
	t    *testing.T
	path string
}

func newShelf(t *testing.T) shelf { return shelf{t, t.TempDir()} }

// result is one receipt with one video.
type result struct {
	task, prompt, job, model, batch string
	// clip and source are files of testdata; source may be empty.
	clip, source string
	age          time.Duration
}

func (s shelf) copyOf(clip, name string) map[string]any {
	s.t.Helper()
	width, height, duration := 480, 270, "2s"
	if !filepath.IsAbs(clip) {
		clip, width, height, duration = filepath.Join("testdata", clip), 160, 90, "1.5s"
	}
	content, err := os.ReadFile(clip)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(filepath.Join(s.path, name), content, 0o644))
	sum := sha256.Sum256(content)
	return map[string]any{"name": name, "location": "file:///" + name, "bytes": len(content), "sha256": hex.EncodeToString(sum[:]), "duration": duration, "width": width, "height": height}
}

// put stores a result like a worker and returns the name of its video.
func (s shelf) put(r result) string {
	s.t.Helper()
	clip := r.clip
	if clip == "" {
		clip = "result.mp4"
	}
	name := "luma_result_" + r.task + "_1" + filepath.Ext(clip)
	receipt := map[string]any{
		"version": 1, "job": r.job, "run": "run-1", "taskId": r.task, "prompt": r.prompt, "submitAttempts": 1, "wokenBy": "callback",
		"submittedAt": time.Now().Add(-r.age - time.Minute), "completedAt": time.Now().Add(-r.age),
		"files": []any{s.copyOf(clip, name)},
	}
	if r.model != "" {
		receipt["model"] = r.model
	}
	if r.batch != "" {
		receipt["batch"] = r.batch
	}
	if r.source != "" {
		receipt["source"] = s.copyOf(r.source, "luma_source_"+r.task+".mp4")
	}
	encoded, err := json.Marshal(receipt)
	require.NoError(s.t, err)
	hidden := filepath.Join(s.path, ".receipt")
	require.NoError(s.t, os.WriteFile(hidden, encoded, 0o644))
	require.NoError(s.t, os.Rename(hidden, filepath.Join(s.path, "luma_result_"+r.task+".json")))
	return name
}

// serve starts a gallery of the shelf and returns its address.
func (s shelf) serve(args ...string) string {
	s.t.Helper()
	gallery := osexec.Command(binary, append([]string{"gallery", s.path, "--listen", "127.0.0.1:0"}, args...)...)
	gallery.Stderr = os.Stderr
	out, err := gallery.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, gallery.Start())
	s.t.Cleanup(func() {
		_ = gallery.Process.Signal(os.Interrupt)
		_ = gallery.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(s.t, err)
	_, address, found := strings.Cut(strings.TrimSpace(line), ": http")
	require.True(s.t, found, line)
	address, _, _ = strings.Cut(address, " ")
	address, _, _ = strings.Cut(address, "?")
	return "http" + strings.TrimSuffix(address, "/")
}

// tab is a page of a browser. Its faults are the errors and violations of the page.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

var (
	browserOnce sync.Once
	browserCtx  context.Context
	browserErr  error
)

// open opens a new tab with storage of its own. At its end the test fails if the page had an error on its
// console, a failed request, a dialog or a violation of its policy.
func open(t *testing.T, width, height int) *tab {
	t.Helper()
	browserOnce.Do(func() {
		allocator, _ := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(chromium), chromedp.Headless, chromedp.NoSandbox,
			chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
		browserCtx, _ = chromedp.NewContext(allocator)
		browserErr = chromedp.Do(browserCtx)
	})
	require.NoError(t, browserErr)
	ctx, cancel := chromedp.NewContext(browserCtx, chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Empty(t, p.faults, "faults of the page")
	})
	requests := map[network.RequestID]string{}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		fault := func(text string) { p.faults = append(p.faults, text) }
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				encoded, _ := json.Marshal(e.Args)
				fault("console: " + string(encoded))
			}
		case *runtime.EventExceptionThrown:
			encoded, _ := json.Marshal(e.ExceptionDetails)
			fault("exception: " + string(encoded))
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				fault("log: " + e.Entry.Text + " " + e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			requests[e.RequestID] = e.Request.URL
		case *network.EventResponseReceived:
			if e.Response.Status >= 400 {
				fault(fmt.Sprintf("status %d: %s", e.Response.Status, e.Response.URL))
			}
		case *network.EventLoadingFailed:
			if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
				fault("failed: " + e.ErrorText + " " + requests[e.RequestID])
			}
		case *page.EventJavascriptDialogOpening:
			fault("dialog: " + e.Message)
			go func() {
				_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
			}()
		}
	}))
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	p.do(chromedp.EmulateViewport(int64(width), int64(height)))
	return p
}

// expected removes the faults that contain a text, of which there must be one.
func (p *tab) expected(text string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []string
	for _, fault := range p.faults {
		if !strings.Contains(fault, text) {
			rest = append(rest, fault)
		}
	}
	require.Less(p.t, len(rest), len(p.faults), "no fault with %q in %q", text, p.faults)
	p.faults = rest
}

// do runs actions, each of which must end in time.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for _, action := range actions {
		run(p, action)
	}
}

func run[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	require.NoError(p.t, err)
	return value
}

// call sends a command of the DevTools protocol.
func call[P, R any](p *tab, command cdp.Command[P, R], parameters P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, parameters)
	require.NoError(p.t, err)
	return result
}

// eval evaluates an expression, and waits for it if it is a promise.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	return run(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// exec runs a statement.
func exec(p *tab, statement string) {
	p.t.Helper()
	eval[bool](p, statement+"; true")
}

// until waits for an expression to become true. The page checks it before each of its
// frames, and may be replaced by another while it waits.
func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	promise := `new Promise(resolve => { const check = () => {
		let reached = false;
		try { reached = ` + expression + ` } catch { /* The page is not complete. */ }
		reached ? resolve(true) : requestAnimationFrame(check) }; check() })`
	for {
		// A navigation is an error: the promise is gone with its page.
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](promise, chromedp.EvalAwaitPromise))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			state, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("location.href + ' ' + document.body.innerText.slice(0, 600)"))
			require.FailNow(p.t, "not reached: "+expression, "error %v, faults %q, page %s", err, p.faults, state)
		}
	}
}

// prefer sets a color scheme, and no motion.
func (p *tab) prefer(scheme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// press presses the keys of each text. As of a keyboard, a key makes a character only
// if the page leaves its event alone.
func (p *tab) press(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		for _, key := range text {
			var down, up input.DispatchKeyEventParams
			for _, event := range kb.Encode(key) {
				switch event.Type {
				case kb.KeyDown:
					down = *event
				case kb.KeyChar:
					down.Text, down.UnmodifiedText = event.Text, event.UnmodifiedText
				default:
					up = *event
				}
			}
			call(p, input.DispatchKeyEvent, down)
			call(p, input.DispatchKeyEvent, up)
		}
	}
}
