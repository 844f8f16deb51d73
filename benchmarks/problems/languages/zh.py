"""Chinese stories."""

from benchmarks.problems.story import Language, Story

CHINESE = Language(
    code="zh",
    names=(
        *("小明", "小红", "小华", "小丽", "小刚", "小芳", "小军", "小燕", "小强", "小梅"),
        *(
            "王老师",
            "李老师",
            "张叔叔",
            "陈阿姨",
            "刘爷爷",
            "赵奶奶",
            "大伟",
            "思思",
            "佳佳",
            "天天",
        ),
    ),
    stories=(
        Story(
            ("弹珠", "贝壳", "气球"),
            "{name}有{n}个{thing}。",
            {
                "gain": ("{name}又找到{n}个{thing}。", "朋友给了{name}{n}个{thing}。"),
                "lose": ("{name}丢了{n}个{thing}。", "{name}送出{n}个{thing}。"),
                "gain_groups": ("{name}买了{m}包{thing}，每包{n}个。",),
                "lose_groups": ("{name}给{m}个朋友每人{n}个{thing}。",),
                "times": ("后来{thing}变成原来的{n}倍。",),
                "share": ("{name}把{thing}平均分成{n}份，留下一份。",),
            },
            "{name}现在有多少个{thing}？",
        ),
        Story(
            ("面包", "蛋糕", "包子"),
            "面包店早上有{n}个{thing}。",
            {
                "gain": ("{name}又做了{n}个{thing}。",),
                "lose": ("店里卖出{n}个{thing}。",),
                "gain_groups": ("{name}烤了{m}盘{thing}，每盘{n}个。",),
                "lose_groups": ("{m}位客人每人买{n}个{thing}。",),
            },
            "还剩多少个{thing}？",
        ),
        Story(
            ("书",),
            "图书馆有{n}本{thing}。",
            {
                "gain": ("{name}还回{n}本{thing}。", "城市捐了{n}本{thing}。"),
                "lose": ("{name}借走{n}本{thing}。",),
                "gain_groups": ("来了{m}箱{thing}，每箱{n}本。",),
                "lose_groups": ("{m}所学校各借走{n}本{thing}。",),
                "times": ("一年后{thing}是原来的{n}倍。",),
            },
            "图书馆现在有多少本{thing}？",
        ),
        Story(
            ("苹果", "梨", "桃子"),
            "{name}摘了{n}个{thing}。",
            {
                "gain": ("{name}又摘了{n}个{thing}。",),
                "lose": ("{name}卖掉{n}个{thing}。", "{name}吃了{n}个{thing}。"),
                "gain_groups": ("{m}棵树各结{n}个{thing}。",),
                "lose_groups": ("{name}卖掉{m}袋{thing}，每袋{n}个。",),
                "share": ("{name}把{thing}平均放进{n}个篮子，留下一个篮子。",),
            },
            "{name}还有多少个{thing}？",
        ),
        Story(
            ("乘客",),
            "火车开出时有{n}位{thing}。",
            {
                "gain": ("上来{n}位{thing}。", "下一站上来{n}位{thing}。"),
                "lose": ("下去{n}位{thing}。",),
                "gain_groups": ("上来{m}个团，每团{n}位{thing}。",),
                "lose_groups": ("下去{m}个团，每团{n}位{thing}。",),
            },
            "火车上现在有多少位{thing}？",
        ),
        Story(
            ("元",),
            "{name}存了{n}{thing}。",
            {
                "gain": ("{name}挣了{n}{thing}。", "{name}收到{n}{thing}。"),
                "lose": ("{name}花了{n}{thing}。",),
                "gain_groups": ("{name}工作{m}天，每天{n}{thing}。",),
                "lose_groups": ("{name}买了{m}张票，每张{n}{thing}。",),
                "times": ("存款变成原来的{n}倍。",),
            },
            "{name}现在有多少{thing}？",
        ),
        Story(
            ("升",),
            "水箱里有{n}{thing}水。",
            {
                "gain": ("{name}加了{n}{thing}。",),
                "lose": ("{name}用了{n}{thing}。",),
                "gain_groups": ("{name}加了{m}桶水，每桶{n}{thing}。",),
                "lose_groups": ("{name}从水箱装满{m}个罐子，每个{n}{thing}。",),
            },
            "水箱里现在有多少{thing}水？",
        ),
        Story(
            ("箱子",),
            "仓库里有{n}个{thing}。",
            {
                "gain": ("卡车运来{n}个{thing}。",),
                "lose": ("卡车运走{n}个{thing}。",),
                "gain_groups": ("{m}辆卡车各运来{n}个{thing}。",),
                "lose_groups": ("{m}辆卡车各运走{n}个{thing}。",),
                "share": ("{thing}平均放进{n}个库房，{name}数其中一个库房。",),
            },
            "现在有多少个{thing}？",
        ),
    ),
    working={
        "gain": "增加",
        "lose": "减少",
        "groups": "一共",
        "times": "倍数",
        "share": "平分",
    },
    answer="答案：",
    drill="{a} {operator} {b}等于多少？",
    json="请用JSON回答。",
    colon="：",
    space="",
)
