package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// manifest is the part of a package.json that is used here.
type manifest struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
	Pulumi          struct {
		Resource bool   `json:"resource"`
		Name     string `json:"name"`
		Version  string `json:"version"`
		Server   string `json:"server"`
	} `json:"pulumi"`
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	content, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(content, &m)
}

// requiredPackages lists the resource plugins of the installed packages.
func requiredPackages(program string) ([]*pulumirpc.PackageDependency, error) {
	var required []*pulumirpc.PackageDependency
	seen := map[string]bool{}
	err := eachInstalled(program, func(m manifest) {
		if !m.Pulumi.Resource {
			return
		}
		name, version := m.Pulumi.Name, m.Pulumi.Version
		if name == "" {
			name = strings.TrimPrefix(m.Name, "@pulumi/")
		}
		if version == "" {
			version = m.Version
		}
		if seen[name+"@"+version] {
			return
		}
		seen[name+"@"+version] = true
		required = append(required, &pulumirpc.PackageDependency{
			Name: name, Kind: "resource", Version: version, Server: m.Pulumi.Server,
		})
	})
	return required, err
}

// dependencies lists the program's direct dependencies, or all installed packages.
func dependencies(program string, transitive bool) ([]*pulumirpc.DependencyInfo, error) {
	root, err := readManifest(program)
	if err != nil {
		return nil, err
	}
	var found []*pulumirpc.DependencyInfo
	err = eachInstalled(program, func(m manifest) {
		_, direct := root.Dependencies[m.Name]
		_, forWork := root.DevDependencies[m.Name]
		if transitive || direct || forWork {
			found = append(found, &pulumirpc.DependencyInfo{Name: m.Name, Version: m.Version})
		}
	})
	slices.SortFunc(found, func(a, b *pulumirpc.DependencyInfo) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

// eachInstalled visits the packages in every node_modules that Node.js searches from dir.
func eachInstalled(dir string, visit func(manifest)) error {
	for {
		if err := eachIn(filepath.Join(dir, "node_modules"), visit); err != nil {
			return err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}

func eachIn(modules string, visit func(manifest)) error {
	entries, err := os.ReadDir(modules)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		dir := filepath.Join(modules, name)
		if strings.HasPrefix(name, ".") {
			continue
		}
		if strings.HasPrefix(name, "@") {
			if err := eachIn(dir, visit); err != nil {
				return err
			}
			continue
		}
		// Ignores folders that are not packages, and broken packages.
		if m, err := readManifest(dir); err == nil {
			visit(m)
		}
		if err := eachIn(filepath.Join(dir, "node_modules"), visit); err != nil {
			return err
		}
	}
	return nil
}
