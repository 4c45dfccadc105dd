package kietest

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
)

const rendersFolder = "renders"

// baseVideo is the playable part of a task's results: its modified upload, or else
// a stock clip.
func (s *Server) baseVideo(ctx context.Context, t *task) (video, error) {
	name, info, _ := s.uploaded(t)
	if name == "" {
		return s.stock(t), nil
	}
	if s.options.Modify != nil {
		modified, err := s.modify(ctx, name, t)
		if err == nil {
			return modified, nil
		}
		if ctx.Err() != nil {
			return video{}, err
		}
		s.log.Warn("could not modify an upload; the result is the upload itself", "taskId", t.id, "error", err)
	}
	if !s.isMP4(name) {
		return s.stock(t), nil
	}
	// A copy keeps the result when another upload replaces the file.
	copied := path.Join(rendersFolder, t.id+".mp4")
	if err := s.copyFile(ctx, copied, name); err != nil {
		return video{}, fmt.Errorf("copy the source of task %s: %w", t.id, err)
	}
	return video{file: copied, size: info.Size()}, nil
}

func (s *Server) stock(t *task) video {
	stock := clips()
	chosen := stock[t.job.variant%uint64(len(stock))]
	return video{stock: chosen.content, size: int64(len(chosen.content))}
}

func (s *Server) modify(ctx context.Context, source string, t *task) (video, error) {
	select {
	case s.modifying <- struct{}{}:
		defer func() { <-s.modifying }()
	case <-ctx.Done():
		return video{}, ctx.Err()
	}
	made := path.Join(rendersFolder, t.id+".mp4")
	if err := s.options.Modify(ctx, s.onDisk(source), s.onDisk(made)); err != nil {
		return video{}, fmt.Errorf("modify the source of task %s: %w", t.id, err)
	}
	info, err := s.files.Stat(made)
	if err != nil {
		return video{}, fmt.Errorf("modify the source of task %s: %w", t.id, err)
	}
	return video{file: made, size: info.Size()}, nil
}

func (s *Server) onDisk(name string) string {
	return filepath.Join(s.files.Name(), filepath.FromSlash(name))
}

// isMP4 reports whether a file begins with the file type box of MP4 and MOV.
func (s *Server) isMP4(name string) bool {
	file, err := s.files.Open(name)
	if err != nil {
		return false
	}
	defer file.Close()
	var head [8]byte
	_, err = io.ReadFull(file, head[:])
	return err == nil && string(head[4:]) == "ftyp"
}

func (s *Server) copyFile(ctx context.Context, to, from string) error {
	source, err := s.files.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := s.files.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, &cancellable{ctx, source}); err != nil {
		_ = target.Close()
		return err
	}
	return target.Close()
}
