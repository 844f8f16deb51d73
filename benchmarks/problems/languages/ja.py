"""Japanese stories."""

from benchmarks.problems.story import Language, Story

JAPANESE = Language(
    code="ja",
    names=(
        *(
            "さくら",
            "はるか",
            "ゆい",
            "あおい",
            "みき",
            "けんた",
            "たろう",
            "だいき",
            "ゆうき",
            "りく",
        ),
        *("田中さん", "山本さん", "佐藤さん", "鈴木さん", "木村さん", "森さん", "林さん", "原さん"),
    ),
    stories=(
        Story(
            ("ビー玉", "貝がら", "シール"),
            "{name}は{thing}を{n}個持っています。",
            {
                "gain": ("{name}は{thing}を{n}個見つけます。", "友だちが{thing}を{n}個くれます。"),
                "lose": ("{name}は{thing}を{n}個なくします。", "{name}は{thing}を{n}個あげます。"),
                "gain_groups": ("{name}は{n}個入りの袋を{m}つ買います。",),
                "lose_groups": ("{name}は友だち{m}人に{n}個ずつあげます。",),
                "times": ("その後{thing}は{n}倍になります。",),
                "share": ("{name}は{thing}を{n}つに等しく分けて一つ取ります。",),
            },
            "{name}は今{thing}を何個持っていますか？",
        ),
        Story(
            ("パン", "ケーキ"),
            "パン屋は朝{thing}を{n}個並べます。",
            {
                "gain": ("{name}は{thing}をさらに{n}個焼きます。",),
                "lose": ("店は{thing}を{n}個売ります。",),
                "gain_groups": ("{name}は{n}個のせた板を{m}枚焼きます。",),
                "lose_groups": ("客{m}人が{thing}を{n}個ずつ買います。",),
            },
            "{thing}は何個残っていますか？",
        ),
        Story(
            ("本",),
            "図書館に{thing}が{n}冊あります。",
            {
                "gain": ("{name}が{thing}を{n}冊返します。", "町が{thing}を{n}冊おくります。"),
                "lose": ("{name}が{thing}を{n}冊借ります。",),
                "gain_groups": ("{n}冊入りの箱が{m}つ届きます。",),
                "lose_groups": ("学校{m}校が{n}冊ずつ借ります。",),
                "times": ("一年後に{thing}は{n}倍になります。",),
            },
            "図書館に今{thing}は何冊ありますか？",
        ),
        Story(
            ("りんご", "みかん", "柿"),
            "{name}は{thing}を{n}個とります。",
            {
                "gain": ("{name}は{thing}をもう{n}個とります。",),
                "lose": ("{name}は{thing}を{n}個売ります。", "{name}は{thing}を{n}個食べます。"),
                "gain_groups": ("木{m}本から{n}個ずつとれます。",),
                "lose_groups": ("{name}は{n}個入りの袋を{m}つ売ります。",),
                "share": ("{name}は{thing}を{n}つのかごに等しく入れて一つ取ります。",),
            },
            "{name}に{thing}は何個残っていますか？",
        ),
        Story(
            ("乗客",),
            "電車が{thing}{n}人を乗せて出発します。",
            {
                "gain": ("{thing}が{n}人乗ります。", "次の駅で{thing}が{n}人乗ります。"),
                "lose": ("{thing}が{n}人降ります。",),
                "gain_groups": ("{n}人の団体が{m}組乗ります。",),
                "lose_groups": ("{n}人の団体が{m}組降ります。",),
            },
            "電車に今{thing}は何人いますか？",
        ),
        Story(
            ("円",),
            "{name}は{n}{thing}ためました。",
            {
                "gain": ("{name}は{n}{thing}かせぎます。", "{name}は{n}{thing}もらいます。"),
                "lose": ("{name}は{n}{thing}使います。",),
                "gain_groups": ("{name}は一日{n}{thing}で{m}日働きます。",),
                "lose_groups": ("{name}は{n}{thing}の切符を{m}枚買います。",),
                "times": ("お金は{n}倍になります。",),
            },
            "{name}は今何{thing}持っていますか？",
        ),
        Story(
            ("リットル",),
            "タンクに水が{n}{thing}あります。",
            {
                "gain": ("{name}は{n}{thing}入れます。",),
                "lose": ("{name}は{n}{thing}使います。",),
                "gain_groups": ("{name}は{n}{thing}のバケツで{m}回入れます。",),
                "lose_groups": ("{name}は{n}{thing}の缶を{m}つ満たします。",),
            },
            "タンクに今水は何{thing}ありますか？",
        ),
    ),
    working={
        "gain": "ふえる",
        "lose": "へる",
        "groups": "あわせて",
        "times": "倍",
        "share": "分ける",
    },
    answer="答え：",
    drill="{a} {operator} {b}はいくつですか？",
    json="JSONで答えてください。",
    colon="：",
    space="",
)
