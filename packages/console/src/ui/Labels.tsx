import Tag from 'antd/es/tag'
import { labelTexts, type Labels as LabelMap } from './label-text.ts'

export function Labels({ labels }: { readonly labels: LabelMap }) {
  const texts = labelTexts(labels)
  if (texts.length === 0) return <span className="om-quiet">–</span>
  return (
    <span className="om-labels">
      {texts.map((text) => (
        <Tag key={text}>{text}</Tag>
      ))}
    </span>
  )
}
