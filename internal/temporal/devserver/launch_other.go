//go:build !unix

package devserver

import "errors"

// launcher is the CLI itself: where there is no shell to say the process id,
// the server can't be ended by force, nor does it end with this process.
type launcher struct{ path string }

func newLauncher(cli string) (launcher, error) { return launcher{path: cli}, nil }

func (launcher) remove() {}

type guard struct{}

func newGuard() (guard, error) { return guard{}, nil }

func (guard) watch(int) {}

func (guard) dismiss() {}

func kill(int) {}

func halt(int) error { return errors.ErrUnsupported }

func goOn(int) error { return errors.ErrUnsupported }
