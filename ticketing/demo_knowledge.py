"""What the demonstration's hotline knows: articles in both languages, and a guide for an engine that runs hot."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from ticketing import guides, knowledge

_HOT_ZH = """hot: 水温表读数超过 105 °C 吗？
- 是 > level
- 否 = 属正常范围。请继续观察，并在下次保养时清洗散热器外表面。
level: 停机冷却后，冷却液液位在上下刻度之间吗？
- 是 > belt
- 低于下刻度 > leak
belt: 风扇皮带松弛、开裂或打滑吗？
- 是 = 请张紧或更换皮带；可由就近服务站上门。
- 否 > radiator
radiator: 散热器外面有泥、草或油污吗？
- 有 = 用低压水由内向外冲洗，切勿用高压水枪直冲。
- 没有 = 可能是节温器或水泵，请派服务站检查，期间勿大负荷使用。
leak: 看得到漏水的地方吗？
- 看得到 = 记下位置，补加同牌号冷却液，派服务站处理，勿加自来水。
- 看不到 = 补加冷却液后观察；若排气管冒白烟，请立即停机并派服务站。
"""
_HOT_EN = """hot: Does the gauge read more than 105 °C?
- yes > level
- no = That is normal. Keep an eye on it and clean the radiator at the next service.
level: With the engine off and cold, is the coolant between the marks?
- yes > belt
- below > leak
belt: Is the fan belt loose, cracked or slipping?
- yes = Have the belt tightened or replaced; the nearest station can come.
- no = Thermostat or water pump; send a station, and no heavy load until then.
leak: Can you see where it leaks?
- yes = Note the place, top up with the same coolant, send a station; no tap water.
- no = Top up and watch; with white smoke stop at once and send a station.
"""
_ARTICLES: tuple[tuple[str, str, list[str], str, str], ...] = (
    ("zh", "水温高的常见原因与处理", ["coolant_hot", "SPN110"], "开锅 高温 温度高 水箱开锅",
     "1. 停机，怠速两分钟后熄火，切勿立即打开水箱盖。\n2. 冷却后看液位，不足则补加同牌号冷却液。\n"
     "3. 看风扇皮带、散热器外表面、水管接头。\n"
     "4. 仍高则查节温器与水泵，派服务站。\n三包期内因零件质量引起的，按三包条款处理。"),
    ("zh", "机油压力低报警怎么办", ["oil_pressure", "SPN100"], "机油灯亮 油压低",
     "立即停机。先看油尺：不足则补加同牌号机油；液位正常仍报警，切勿再启动，派服务站检查机油泵、滤清器与传感器。"),
    ("zh", "冒黑烟的排查", ["black_smoke"], "黑烟 费油 没劲",
     "先看空气滤清器是否堵塞（警示器变红即更换），再看增压器接管是否漏气，最后由服务站查喷油器与油品。"),
    ("zh", "冬季启动困难", ["hard_start", "no_start"], "打不着 冻 天冷 柴油结蜡",
     "按气温选用柴油牌号（-10# 可用至 -5 °C）。先预热 30 秒再启动，每次不超过 15 秒，间隔 1 分钟。"
     "柴油结蜡时勿用明火烘烤。"),
    ("zh", "首次保养（走保）何时做、做什么", [], "走保 首保 50小时 磨合",
     "首次 50 小时或购机 30 天内，到任一特约服务站免费更换机油与机滤、检查紧固。未做走保会影响三包。"),
    ("zh", "三包凭证丢失如何补办", [], "三包卡 保修卡 丢了",
     "凭购机发票与机号照片，由经销商在系统中补录，三个工作日内生效；期间可凭机号先行维修。"),
    ("en", "Coolant too hot: what to ask and what to do", ["coolant_hot", "SPN110"], "overheating boiling",
     "1. Idle for two minutes, then stop; never open the cap while hot.\n2. Check level, belt, radiator, hoses.\n"
     "3. Still hot: thermostat or pump; send a station."),
    ("en", "Low oil pressure warning", ["oil_pressure", "SPN100"], "oil light",
     "Stop at once. Check the dipstick and top up with the same oil. "
     "If the level is right, do not start again; send a station."),
    ("en", "First service: when and what", [], "run-in first 50 hours",
     "At 50 hours or within 30 days of purchase, free at any station: oil, filter, bolts. "
     "Missing it affects the warranty."),
)  # fmt: skip


def fill(db: Session, by: str, now: datetime) -> None:
    for language, title, faults, words, body in _ARTICLES:
        knowledge.write(db, title=title, body=body, language=language, faults=faults, words=words, by=by, now=now)
    for language, title, text in (("zh", "水温高排查", _HOT_ZH), ("en", "Engine runs hot", _HOT_EN)):
        guides.write(db, title=title, text=text, language=language, faults=["coolant_hot"], by=by, now=now)
