package main

var (
	NewParser = newParser
	Run       = run
)
