import { CloseOutlined, ShoppingOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import Popover from 'antd/es/popover'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { type Basket, byPoint, setBasket, toggled } from './basket.ts'
import { filesMessages } from './messages/text.ts'

interface Props {
  readonly basket: Basket
  readonly onRestore: () => void
}

/** At the foot of the page for as long as something is in it. */
export function BasketBar({ basket, onRestore }: Props) {
  const text = useText(filesMessages)
  const format = useFormat()
  const sizeBytes = basket.reduce((sum, item) => sum + item.sizeBytes, 0)
  const points = byPoint(basket).length
  const said = [
    text('basket.count', { count: basket.length }),
    sizeBytes > 0 ? text('basket.size', { size: format.bytes(sizeBytes) }) : '',
    points > 1 ? text('basket.points', { count: points }) : '',
  ].filter((part) => part !== '')
  return (
    <section className="om-basket" aria-label={text('basket')} data-testid="basket">
      <Popover trigger="click" content={<BasketItems basket={basket} />}>
        <Button type="text" icon={<ShoppingOutlined />} data-testid="basket-open">
          {text('basket')}
        </Button>
      </Popover>
      <span role="status">{said.join(' · ')}</span>
      <span className="om-space" />
      <Button type="text" onClick={() => setBasket([])} data-testid="basket-clear">
        {text('basket.clear')}
      </Button>
      <Button type="primary" onClick={onRestore} data-testid="basket-restore">
        {text('basket.restore')}
      </Button>
    </section>
  )
}

function BasketItems({ basket }: { readonly basket: Basket }) {
  const text = useText(filesMessages)
  const format = useFormat()
  return (
    <ul className="om-basket-items">
      {basket.map((item) => (
        <li key={`${item.pointId} ${item.path}`}>
          <span>
            <code className="om-code">{item.path}</code>{' '}
            <small className="om-quiet">
              {text('restore.at', { at: format.exact(item.takenAt) })}
            </small>
          </span>
          <Button
            type="text"
            size="small"
            icon={<CloseOutlined />}
            aria-label={text('basket.remove', { name: item.path })}
            onClick={() => setBasket(toggled(basket, item))}
            data-testid="basket-remove"
          />
        </li>
      ))}
    </ul>
  )
}
