package main

var NewParser = newParser
