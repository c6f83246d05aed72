import { Component, type ComponentChildren, type FunctionComponent, h } from "preact";

/** A component that re-renders only if its properties change. */
export function memo<Props extends object>(
  render: FunctionComponent<Props>,
): (props: Props) => ComponentChildren {
  class Memo extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      const names = new Set([...Object.keys(this.props), ...Object.keys(next)]) as Set<keyof Props>;
      return [...names].some((name) => this.props[name] !== next[name]);
    }

    override render() {
      return h(render, this.props);
    }
  }
  return (props) => h(Memo, props);
}
