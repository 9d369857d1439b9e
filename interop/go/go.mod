module h2channel.test/interop

go 1.26.0

require (
	github.com/posener/h2conn v0.0.0-20231204025407-3997deeca0f0
	github.com/vmihailenco/msgpack/v5 v5.4.1
	golang.org/x/net v0.62.0
)

require (
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
