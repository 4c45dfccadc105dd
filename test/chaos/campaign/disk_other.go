//go:build !linux

package campaign

import "errors"

// disk is a small file system, which needs Linux.
type disk struct{}

func mountDisk(string) (*disk, error) { return nil, errors.ErrUnsupported }

func (*disk) fill() (func(), error) { return nil, errors.ErrUnsupported }

func unmountDisk(string) {}

func canMount() bool { return false }
