// The oxlint plugin of this repository: the house's own rules, one file each.
import { order } from './order.mjs';
import { reasons } from './reasons.mjs';

export default { meta: { name: 'house' }, rules: { order, reasons } };
