package catalog

import (
	"path/filepath"

	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/bbob"
	"github.com/daedalus-search/daedalus/problems/hpo"
	"github.com/daedalus-search/daedalus/problems/illumination"
	"github.com/daedalus-search/daedalus/problems/realworld"
	"github.com/daedalus-search/daedalus/problems/tables"
	"github.com/daedalus-search/daedalus/space"
)

// suiteRows are the problems on which search methods are compared.
func suiteRows() []Problem {
	type illuminated = maker[*illumination.Problem]
	return []Problem{
		made("bbob", "24 functions of 2 to 40 numbers in COCO's own instances, mixed-integer if you like", "Hansen, Finck, Ros and Auger 2009; Tušar, Brockhoff and Hansen 2019",
			func() maker[*bbob.Problem] { return new(bbob.Options) }),
		made("realworld", "24 engineering problems with 2 to 9 objectives, some mixed, some with limits", "Tanabe and Ishibuchi 2020",
			func() maker[problem.Problem] { return new(realworld.Options) }),
		made("projection", "quality-diversity: sphere or Rastrigin function, for every pair of sums", "Fontaine, Togelius, Nikolaidis and Hoover 2020",
			func() illuminated { return new(illumination.Projection) }),
		made("arm", "quality-diversity: an arm that reaches every point with even angles", "Cully, Clune, Tarapore and Mouret 2015",
			func() illuminated { return new(illumination.Arm) }),
		made("nasbench-macro", "6,561 image classifiers of eight layers, each trained three times", "Su et al. 2021",
			func() maker[tables.Judged] { return new(tables.Macro) }),
		made("nasbench-graph", "26,206 trained graph neural networks, many designs of each", "Qin, Zhang, Wang and Zhu 2022",
			func() maker[tables.Classes] { return new(tables.Graph) }),
		made("nasbench-101", "20,001 trained image classifiers, after 4, 12, 36 and 108 epochs", "Ying et al. 2019",
			func() maker[tables.Cells] { return new(tables.NB101) }),
		made("boom", "15,633 processors with three objectives; the values are made up by the contest's authors", "Bai et al. 2021; ICCAD contest 2022",
			func() maker[*tables.Problem] { return new(tables.Boom) }),
		made("accel-nasbench", "accuracy of image classifiers and speed on six accelerators, predicted from 5,138 measured ones", "Ahmad et al. 2024",
			func() maker[*tables.Additive] { return new(tables.Accel) }),
		made("fbnet-latency", "latency of mobile networks on 27 devices against their size, predicted from 5,000 timed ones", "Lee et al. 2021 (HELP); Li et al. 2021 (HW-NAS-Bench)",
			func() maker[*tables.Additive] { return new(tables.FBNet) }),
		made("hpo", "hyperparameters of boosted trees on real tables, some conditional, with trees as effort", "predict.Boosted; UCI Machine Learning Repository",
			func() maker[*hpo.Problem] { return new(hpo.Options) }),
		{
			Name: "hlsyn", Doc: "hardware kernels under pragmas of high-level synthesis; you bring the table", Source: "Bai et al. 2023 (HLSyn)",
			Options: func() any { return new(tables.HLS) },
			New: func(o any, _ *space.Space, dir string) (problem.Problem, error) {
				opts := *o.(*tables.HLS)
				if opts.Data != "" && !filepath.IsAbs(opts.Data) {
					opts.Data = filepath.Join(dir, opts.Data)
				}
				p, err := opts.New()
				if err != nil {
					return nil, err
				}
				return p, nil
			},
		},
	}
}
