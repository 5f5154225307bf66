"""Expressions of JavaScript that list what is wrong with a page for some of its readers."""

UNLABELED = """
  [...document.querySelectorAll('input, select, textarea, button, a, progress')].filter((control) => {
    const labels = [...(control.labels ?? [])].map((each) => each.textContent);
    return ![control.getAttribute('aria-label') ?? '', ...labels, control.textContent].join('').trim();
  }).map((control) => control.outerHTML)
"""

UNKNOWN_IDS = """
  ['aria-labelledby', 'aria-controls', 'aria-describedby', 'for'].flatMap((name) =>
    [...document.querySelectorAll(`[${name}]`)].flatMap((each) => each.getAttribute(name).split(' ')))
    .filter((id) => !document.getElementById(id))
"""

REPEATED_IDS = """
  [...document.querySelectorAll('[id]')].map(({id}) => id).filter((id, i, all) => all.indexOf(id) !== i)
"""

POOR_CONTRAST = """
  (() => {
    const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
    const linear = (part) => (part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
    const luminance = (color) => {
      const [r, g, b] = numbers(color).map((part) => linear(part / 255));
      return .2126 * r + .7152 * g + .0722 * b;
    };
    const behind = (element) => {
      for (let each = element; each; each = each.parentElement) {
        const color = getComputedStyle(each).backgroundColor;
        if (numbers(color)[3] !== 0) return color;
      }
      return 'rgb(255, 255, 255)';
    };
    const ratio = (element) => {
      const {color, fill} = getComputedStyle(element);
      const pair = [element instanceof SVGElement ? fill : color, behind(element)].map(luminance);
      return (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
    };
    const isText = (node) => node.nodeType === 3 && node.textContent.trim();
    return [...document.querySelectorAll('body *:not(script, option)')]
      .filter((element) => element.checkVisibility() && !element.closest('.unseen, .skip'))
      .filter((element) => 'value' in element || [...element.childNodes].some(isText))
      .filter((element) => ratio(element) < 4.5)
      .map((element) => [ratio(element), element.outerHTML.slice(0, 80)]);
  })()
"""

SMALL_TARGETS = """
  [...document.querySelectorAll('button, select, input:not([type=file]), textarea, a')]
    .filter((each) => each.checkVisibility({contentVisibilityAuto: true}) && !each.matches('.skip'))
    .filter((each) => Math.min(each.offsetWidth, each.offsetHeight) < 17)
    .map((each) => each.outerHTML.slice(0, 80))
"""

TOO_WIDE = """
  [document.documentElement.scrollWidth - document.documentElement.clientWidth].filter((pixels) => pixels > 0)
"""

CHECKS = (UNLABELED, UNKNOWN_IDS, REPEATED_IDS, POOR_CONTRAST, SMALL_TARGETS, TOO_WIDE)
