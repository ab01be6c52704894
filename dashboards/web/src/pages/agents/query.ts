// What the tables of figures are asked for, by the address of their page.
import type { Filters } from '../../ui/filters';

// By is what a line of the table stands for; Comparison what the figures of a line stand beside.
export type By = 'agent' | 'team' | 'shop' | 'channel';
export type Comparison = 'team' | 'like' | 'none';

// own are the parameters of the table's address that are no filters, ownOfOne those of the page of one agent.
export const own = ['tab', 'by', 'split', 'beside', 'cols', 'sort', 'figure', 'row', 'rule', 'date'];
export const ownOfOne = ['beside', 'figure', 'day', 'trend', 'rule', 'date'];

export interface View {
  by: By;
  split: boolean;
  compare: Comparison;
}

export function viewOf(params: URLSearchParams): View {
  const by = (['agent', 'team', 'shop', 'channel'] as const).find((x) => x === params.get('by')) ?? 'agent';
  return { by, split: params.get('split') === '1', compare: by === 'agent' ? comparisonOf(params) : 'none' };
}

export function comparisonOf(params: URLSearchParams): Comparison {
  const asked = params.get('beside');
  return asked === 'like' || asked === 'none' ? asked : 'team';
}

// figuresOf is the query of the table: lines of agents are whole, that is over all shops and channels, unless they are split.
export function figuresOf(filters: Filters, { by, split, compare }: View) {
  return { ...filters, by, ...(by === 'agent' && !split ? { whole: '1', ...(compare === 'like' ? { like: '1' } : {}) } : {}) };
}

// besideOf is the query of the page of one agent. Everybody is asked for, as the table does, for whom the agent stands beside.
export function besideOf(filters: Filters, compare: Comparison) {
  const { agent: _, ...others } = filters;
  return figuresOf(others, { by: 'agent', split: false, compare });
}
