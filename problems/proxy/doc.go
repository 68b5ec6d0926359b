// Package proxy makes a problem of predictions of another one, from designs that
// it measures itself: ArchGym's proxy experiment (Krishnan et al., "ArchGym: An
// open-source gymnasium for machine learning assisted architecture design", ISCA
// 2023, §7) as one problem.
//
// Several search methods collect designs and measure them; predictors learn each
// metric from them and are judged on designs that they have not seen; the best
// one then stands for the measurement. The search asks it as often as it likes,
// and the designs of its front are measured in truth, as [problem.Verifier] does.
// What came out on the way, [Problem.Assess] tells: how well each predictor knows
// what was collected and what was not, how much faster it is, and what it is
// worth to learn from several methods instead of one.
//
// [Options] is the place to start.
package proxy
