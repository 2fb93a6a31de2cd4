/** Media: points and clones that are plugged in somewhere. */
import { z } from 'zod'
import { idOf, nameText, pageOf } from '../resources/common.ts'
import { accepted } from '../resources/job.ts'
import { ejectRequest, extendRequest, medium, plugged, plugRequest } from '../resources/medium.ts'
import { defineRoute, labelFilter, listQuery, oneOfList } from './define-route.ts'

const tag = 'media'
const params = z.strictObject({ mediumId: idOf('medium') })
const objects = [{ in: 'params', field: 'mediumId', noun: 'medium' }] as const
const MEDIUM_STATES = ['plugging', 'plugged', 'ejecting', 'ejected', 'failed', 'lost'] as const

export const mediumRoutes = {
  listMedia: defineRoute({
    method: 'GET',
    path: '/api/v1/media',
    permission: 'medium.read',
    tag,
    list: true,
    summary: { en: 'Media', zh: '介质列表' },
    query: listQuery({
      sorts: ['createdAt', 'leaseUntil', 'name'],
      defaultSort: '-createdAt',
      filters: {
        name: nameText,
        state: oneOfList(MEDIUM_STATES),
        hostId: idOf('host'),
        sourceId: idOf('source'),
        pointId: idOf('point'),
        labels: labelFilter,
      },
    }),
    response: { 200: pageOf(medium) },
  }),
  plugMedium: defineRoute({
    method: 'POST',
    path: '/api/v1/media',
    permission: 'medium.plug',
    tag,
    objects: [
      { in: 'body', field: 'pointId', noun: 'point', permission: 'point.read' },
      { in: 'body', field: 'sourceId', noun: 'source', permission: 'source.read' },
      { in: 'body', field: 'hostId', noun: 'host', permission: 'host.read' },
    ],
    wait: true,
    summary: { en: 'Plug a point or a clone into a host', zh: '挂载介质到主机' },
    body: plugRequest,
    response: { 202: plugged },
  }),
  getMedium: defineRoute({
    method: 'GET',
    path: '/api/v1/media/{mediumId}',
    permission: 'medium.read',
    tag,
    objects,
    summary: { en: 'One medium', zh: '介质详情' },
    params,
    response: { 200: medium },
  }),
  ejectMedium: defineRoute({
    method: 'POST',
    path: '/api/v1/media/{mediumId}/eject',
    permission: 'medium.eject',
    tag,
    objects,
    wait: true,
    summary: { en: 'Eject it; what was written to it is gone', zh: '弹出介质' },
    params,
    body: ejectRequest,
    response: { 202: accepted },
  }),
  extendMedium: defineRoute({
    method: 'POST',
    path: '/api/v1/media/{mediumId}/extend',
    permission: 'medium.eject',
    tag,
    objects,
    summary: { en: 'Keep it for longer', zh: '延长有效期' },
    params,
    body: extendRequest,
    response: { 200: medium },
  }),
} as const
