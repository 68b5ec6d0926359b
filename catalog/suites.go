package catalog

import (
	"github.com/daedalus-search/daedalus/problem"
	"github.com/daedalus-search/daedalus/problems/bbob"
	"github.com/daedalus-search/daedalus/problems/illumination"
	"github.com/daedalus-search/daedalus/problems/realworld"
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
	}
}
