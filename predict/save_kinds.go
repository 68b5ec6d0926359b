package predict

import "slices"

// saveKinds is the table of models that can be saved. A model that is to be
// saved has a row here and the methods of savedModel.
func saveKinds() []saveRow {
	return slices.Concat(plainKinds(), treeKinds(), gpKinds())
}

// What loaded models expect of rows; see wideModel.
func (m *ridgeModel) columnCount() int    { return m.Columns }
func (m *elasticModel) columnCount() int  { return m.Columns }
func (m *neighborModel) columnCount() int { return m.Columns }
func (m *mlpModel) columnCount() int      { return m.Columns }
func (m *retModel) columnCount() int      { return m.Columns }
