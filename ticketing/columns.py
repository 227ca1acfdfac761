"""What the columns of a sheet may be, and what people call them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from callcenter.texts import Titled


@dataclass(frozen=True)
class Column(Titled):
    name: str
    zh: str
    en: str
    also: tuple[str, ...] = ()  # what else it is called
    needed: bool = False
    exact: bool = False  # a number, a serial, a code: every digit counts


CUSTOMERS = (
    Column("code", "客户编号", "Customer number", ("编号", "客户代码", "erp编号", "code"), exact=True),
    Column("name", "名称", "Name", ("客户名称", "姓名", "客户", "单位名称", "单位", "customer"), needed=True),
    Column("kind", "类型", "Kind", ("客户类型", "类别", "type")),
    Column("phones", "电话", "Phone", ("手机", "联系电话", "手机号", "电话号码", "phone number", "mobile"), exact=True),
    Column("region", "地区", "Region", ("省市", "所在地", "区域", "city")),
    Column("address", "地址", "Address", ("详细地址", "通讯地址")),
    Column("language", "语言", "Language"),
    Column("note", "备注", "Note", ("说明", "remarks")),
)
ENGINES = (
    Column("serial", "机号", "Serial number", ("发动机号", "机器号", "出厂编号", "serial"), needed=True, exact=True),
    Column("model", "机型", "Model", ("型号", "发动机型号")),
    Column("plant", "生产厂", "Plant", ("工厂",)),
    Column("vehicle", "整机", "Machine", ("配套整机", "主机", "车型", "vehicle")),
    Column("vin", "VIN", "VIN", ("车架号", "车辆识别代号", "frame number"), exact=True),
    Column("built_on", "出厂日期", "Built", ("生产日期", "built on")),
    Column("sold_on", "销售日期", "Sold", ("购机日期", "sold on")),
    Column("owner", "机主", "Owner", ("客户名称", "用户", "用户名称", "车主")),
    Column("owner_phone", "机主电话", "Owner's phone", ("联系电话", "电话", "用户电话", "车主电话"), exact=True),
    Column("owner_code", "机主编号", "Owner's number", ("客户编号",), exact=True),
    Column("owner_since", "过户日期", "Owner since", ("机主变更日期",)),
    Column("hours", "小时数", "Hours", ("小时", "工作小时", "运行小时")),
    Column("km", "公里数", "Kilometres", ("里程", "km")),
    Column("read_on", "读数日期", "Read on", ("抄表日期",)),
    Column("run_in_on", "走保日期", "Run-in service on", ("首保日期",)),
    Column("run_in_hours", "走保小时数", "Run-in hours"),
)
RELATIONS = (
    Column("one", "甲方", "One", ("客户", "客户名称", "供方", "姓名", "from"), needed=True),
    Column("one_code", "甲方编号", "One's number", ("客户编号",), exact=True),
    Column("one_phone", "甲方电话", "One's phone", ("电话",), exact=True),
    Column("kind", "关系", "Relation", ("关系类型", "kind"), needed=True),
    Column("other", "乙方", "The other", ("对方", "对方客户", "需方", "单位", "to"), needed=True),
    Column("other_code", "乙方编号", "The other's number", ("对方编号",), exact=True),
    Column("other_phone", "乙方电话", "The other's phone", ("对方电话",), exact=True),
    Column("from_on", "开始日期", "From", ("起始日期", "自")),
    Column("until_on", "结束日期", "Until", ("截止日期", "至")),
    Column("note", "备注", "Note", ("说明", "remarks")),
)
PARTS = (
    Column(
        "number", "图号", "Part number", ("零件号", "配件号", "配件图号", "物料号", "number"), needed=True, exact=True
    ),
    Column("zh", "名称", "Name", ("配件名称", "零件名称", "中文名称"), needed=True),
    Column("en", "英文名称", "English name", ("英文", "english")),
    Column("fits", "适用机型", "Fits", ("机型", "适配机型", "model", "models")),
    Column("superseded_by", "替代图号", "Superseded by", ("替代件", "新图号"), exact=True),
    Column("superseded_on", "替代日期", "Superseded on"),
    Column("from_on", "启用日期", "From", ("开始日期",)),
    Column("until_on", "停供日期", "Until", ("停用日期",)),
    Column("note", "备注", "Note", ("说明", "remarks")),
)
OF: dict[str, tuple[Column, ...]] = {
    "customers": CUSTOMERS,
    "engines": ENGINES,
    "relations": RELATIONS,
    "parts": PARTS,
}


def guessed(kind: str, headings: Sequence[str]) -> dict[str, int]:
    """Which heading is which column, by what people call it; each heading once."""
    found: dict[str, int] = {}
    spelt = [_plain(heading) for heading in headings]
    for names in (lambda one: (one.zh, one.en, one.name), lambda one: one.also):
        for column in OF[kind]:
            for name in () if column.name in found else map(_plain, names(column)):
                if name in spelt and spelt.index(name) not in found.values():
                    found[column.name] = spelt.index(name)
                    break
    return found


def _plain(heading: str) -> str:
    return re.sub(r"[\s*＊:：_()（）]", "", heading).lower()
