//go:build parts

// Package etcd pins the store of the tests' cluster. The build takes its main package from the module required here.
package etcd

import _ "go.etcd.io/etcd/server/v3"
