package local

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// collect reads the files that the resource returns as assets and archive.
func collect(p Process, out *Result) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if p.Dir != nil {
		dir = *p.Dir
	}
	if p.AssetPaths != nil {
		assets, err := match(dir, *p.AssetPaths)
		if err != nil {
			return err
		}
		each := make(map[string]types.AssetOrArchive, len(assets))
		for name, asset := range assets {
			each[name] = types.AssetOrArchive{Asset: asset}
		}
		out.Assets = &each
	}
	if p.ArchivePaths != nil {
		assets, err := match(dir, *p.ArchivePaths)
		if err != nil {
			return err
		}
		members := make(map[string]any, len(assets))
		for name, asset := range assets {
			members[name] = asset
		}
		if out.Archive, err = resource.NewAssetArchive(members); err != nil {
			return err
		}
	}
	return nil
}

// match finds the files below dir. The last matching pattern decides; a leading "!" excludes files.
func match(dir string, patterns []string) (map[string]*resource.Asset, error) {
	type rule struct {
		glob glob.Glob
		take bool
	}
	rules := make([]rule, 0, len(patterns))
	for _, pattern := range patterns {
		bare, leaves := strings.CutPrefix(pattern, "!")
		compiled, err := glob.Compile(bare, '/')
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule{compiled, !leaves})
	}
	found := map[string]*resource.Asset{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		taken := false
		for _, r := range rules {
			if r.glob.Match(name) {
				taken = r.take
			}
		}
		if !taken {
			return nil
		}
		found[name], err = resource.NewPathAsset(filepath.Join(dir, name))
		return err
	})
	return found, err
}
