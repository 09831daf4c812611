"""The letters beyond ASCII of languages, and the pairs of letters in which they stand.

`text_encoding` tells by them in which encoding a text was written. They were counted once in the
translations that Django ships, and in names of people and towns; `_` stands for the edge of a word.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# Natural logarithms of probabilities. The likelihood of the n-th most frequent pair falls as 1/n
# does (Zipf's law); the offset and the factor make those of a language add up to about 1.
_RANK_OFFSET, _RANK_FACTOR = 3, 4.2
_UNSEEN_PAIR, _FOREIGN_LETTER, _CASE_CHANGE = -8.0, -14.0, -6.0
_LAST_LATIN: Final = "\u024f"


@dataclass(frozen=True, slots=True)
class Language:
    """A language's letters beyond ASCII, and its pairs with them, the most frequent first."""

    letters: str
    pairs: str
    likelihoods: Mapping[str, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pairs = (self.pairs[start : start + 2] for start in range(0, len(self.pairs), 2))
        likelihoods = {
            pair: -math.log((rank + _RANK_OFFSET) * _RANK_FACTOR) for rank, pair in enumerate(pairs)
        }
        object.__setattr__(self, "likelihoods", likelihoods)

    def likelihood(self, word: str) -> float:
        """Return the logarithm of the likelihood that `word` is one of this language."""
        total = sum(
            _CASE_CHANGE
            for one, other in itertools.pairwise(word)
            if one.islower() and other.isupper()
        )
        # Of a Turkish İ, `lower` makes an i with a dot of its own.
        edged = f"_{word.lower()}_".replace("i\u0307", "i")
        for pair in map("".join, itertools.pairwise(edged)):
            if not pair.isascii():
                total += self.likelihoods.get(pair) or self._rare_pair(pair)
        return total

    def _rare_pair(self, pair: str) -> float:
        own = all(self._has(letter) for letter in pair)
        return _UNSEEN_PAIR if own else _FOREIGN_LETTER

    def _has(self, letter: str) -> bool:
        is_latin = self.letters[0] <= _LAST_LATIN
        return letter in self.letters or letter == "_" or (is_latin and letter.isascii())


LANGUAGES: Final[Mapping[str, Language]] = {
    "lv": Language(
        "āčēģīķļņšūž",
        "ītārtāšaā_tīiņjānāpāešzīvēākējšukādīāsātētsīādrīošrāīgīmmēīblēš_ņuēlāmņaērpēlīrēājūt"
        "ņš_šmāvākšēmnīācīššizēļalāālījlūbāgātēkļēsdēļušāīnsāē_īkāņnēšoēšūkģivīūdņeāi",
    ),
    "lt": Language(
        "ąčęėįšųūž",
        "ų_ą_iųė_čiišnųžiaš_šėtės_įtųmėę_dėnė_žuždžšišaažlėį_štlųtėrėžyškkšečeštąūrdųįvkųžetę"
        "šyėjrūjąičsąkąėkžoėnmąšmbūržjųūsnąšošsęsiūsėmųžksųrųūkbųgųršžuūtjūnčąrmęįrvė",
    ),
    "et": Language(
        "äõöüšž",
        "ärmäväpätäõiäeähäiääjäültüvõüh_üõnälküüü_õnäsõlüüpõtläpõkäkõöötõänõpõhürõlõelõmõätäs"
        "übümsüüsõunõrätöüddžšeötjõpüädtšükaõ_šžahüö_ämõsjürüšomüõdõmäoõrünõõvöönövnü",
    ),
    "pl": Language(
        "ąćęłńóśźż",
        "ć_łaałłoaćośówołń_ięńsścsłró_śśćiąś__łżyeś_żońącićłuł_eńą_ądórłyślędańę_żeużgłłedłża"
        "yćeżśnaśż_ażłąułjąśwęcłkńckłełyśęttęożątwłtógóećjęzęęppózłińółkónąząbłłóązób",
    ),
    "cs": Language(
        "áčďéěíňóřšťúůýž",
        "í_ý_níá_nýřepřněnáváráě_káánvýkýé_říři_ččeláátáválvěše_ščnži_úštítměženéožěttězáečdě"
        "třvíádlícídáužíkěntáčiísmíínícačěláztíočkéjí_žásčíů_čktýušímmáárákářišořvé_ř",
    ),
    "sk": Language(
        "áäčďéíĺľňóôŕšťúýž",
        "á_vákánáé_ý__šrááríknéič_čkéánníčišočeínnýláčoštčaašškuškýť_žiačákošéhríčkšazášieľčn"
        "áttáužľaácálňaišlíávečč_výmáš_ýcšeoččí_žónožoľáčľoňodáešnčáztíbá_ďvéžaháľuáš",
    ),
    "hu": Language(
        "áéíóöőúüű",
        "álésástáő_ó_árítéránzárávátézőtőmákéköát_éláénnétötóülsávénáágzééléplóméséégléétgéör"
        "önióácékdáölzó_áréözámódájlőlísíbádőtíévróműrö_üírjápékügádéiázöösökézőlábéd",
    ),
    "sl": Language(
        "čšž",
        "čečiščičškiš_š_čoččač_štžioššenšašžerš_žožačšižaečeščnnččkežžnšajšvšušvččrrčažlšučču"
        "džšnmšužižčjž_šošlržlčšvčošpš_bšjčlžšmčlžmšubčnždšzšžldčžušjmčpčpšmžšckčžokš",
    ),
    "hr": Language(
        "čćđšž",
        "ićć_iččkča_šaččišiškžičeošešštišžeašuč_čožšeažžašaće_žđeočč_ušužršš_čnžueđržčuećečšn"
        "nčdžađđarčšuća_ććiižđuoćđišležođšpžn_đućždšošvuđnžlčšččoaććnčldšž_jčšćkšćklš",
    ),
    "ro": Language(
        "ăâîşţ",
        "ă_ţităzăaţnăcăîn_îrăăreţ_şsăcţiţşiştândăătmălăşanţţaeşăuâmuţcâişbăăspăgăaşsâămpţmâtâ"
        "ţăş_ălăcvăfăpâârăpâtţ_uşăduăoţfârşşuhăbţănlţrţăţşoşeăzrâţu_ăăgăşâimîcîîmoşvâ",
    ),
    "de": Language(
        "äöüß",
        "änhäärtäätfüädrüühpäßeürünräörwäülmübühöücäuübähgüläkühüütlüökölbäkääcröeßägüssäügös"
        "_ünääs_ööc_äußsöönmömäköaßöhböüfälißlögäß_tüoßöfdööbötäfögjäföpögöü_jüßbdünü",
    ),
    "fr": Language(
        "àâæçèéêëîïôœùûüÿ",
        "réé__édééeécértéétèrésièélménégéédléséénéphéégémiévépééoévêtuéfécééfaîéaèslèébbéôttè"
        "ètrèaïîtrôhèèmoûûtôlcèçaènà_îndèèloéçoyénçmèègècéqaétôrêèvéigèèquê_êsèâtaçhô",
    ),
    "es": Language(
        "áéíñóúü",
        "ónióíaánésríráañó_ñoñaínróá_límáí_é_táásúnváállóméúlárláué_áeñéndímúné_úcímíértótíná"
        "uíátcótéiñélíslécádéétíoñeácúsvíiédósáíggúnúcé_éítmódágóágsópúrénóíc_íníábóm",
    ),
    "sv": Language(
        "åäöé",
        "änörväärläälrärötäömfölö_åös_ösöån_äåtjöålgämåråå_håätövägågsäénmähögåölkögöödhäöafä"
        "önårökåsävämäsmöäkkäåkbörélåäföptöögtånådéötnäsåbälébååddävåöjfåjäeånöö_äxäd",
    ),
    "fi": Language(
        "äöåšž",
        "ä_täääjämäläänärkäpäsänäväätäläyäkämäiäjäsähö_kötöräönyöiähäötlöröäpöpäväeököinödäöö"
        "ösöydžiöörömyätšžieäädäaöljösöšedööbmååläoöoäföhböpövö_äžaaäšaföögägöjwääööa",
    ),
    "pt": Language(
        "àáâãçéêíóôõúü",
        "ãoaççãárõeçaráçõânêsnçtáá_mésãçotóíntéórériãiçálólênlíátmáeçísiáôné_náícógtãtíásró_á"
        "étuííviõáfónrãrílóésã_réláédécrçágníhãúlváídmãítuádêaícâábúbtâúsímlâsímíuêrê",
    ),
    "it": Language(
        "àèéìòù",
        "à_ò_tàròì_ràdìè_é_iòsìù_lòhéiàhèiùnòzòné_èdòuòrèrìtòvòsòlì_ésàlàpòfè_ùmì_ìdù_ànàpàcò"
        "oàuèpé_òoètì",
    ),
    "nl": Language(
        "ëïéèöü",
        "iëë_oëëné_ïnëlaïeïméhéërélïe_ééééneüüpéerööedüümoérééuséköösvéböökféhöönièègaëoïïsmö"
        "ölbéémtéjèènït",
    ),
    "da": Language(
        "æøåé",
        "ørærlætørøvæårsøønøjænælræløgå_øføhøå_ø_ægødølæsækråmøjænøøsbæmæøgøbøv_æ_ånækøådmåjø"
        "lååltæbøædkæåsøkiøsætåæbgøpæætfæånåbævgæpåérsåågømpøfåbåhånådøåeååhædæé_æfvå",
    ),
    "nb": Language(
        "æøåéò",
        "ørå_økfø_ønømåærøysøår_åtøønhøløtåpøvæåtødrååsjøångånååløvrøpåølsåbøvånæåkåv_éénåemæ"
        "gæælfæøpøsfålåø_øehåsæætkåæs_ææ_åglééeøaøgøm",
    ),
    "is": Language(
        "áðéíóúýþæö",
        "ðuiðörís_þríjörðlíórínjóíað__áólaðdíróósþórúý_ðaðióníðúnuðásnýölrááltíárvíímní_í_ósó"
        "dósíúlá_ögóðló_öðbí_þotötójá_únóþeðrærsæíkmáýrmíðgöðhóðmjúítíuómáðótvöírþrán",
    ),
    "ca": Language(
        "àçèéíïòóúü",
        "ó_ióèsà_rànèçaàltàí_ià_úvàdèúllímèésé_tíígínnçtéuïàrlèrí_èúnòrmíè_úsrèènàtàcuètómàaç"
        "ètnúlàtòròàsdícèèxpçàmúmréméeàïuànç_pààgísò_güüeèrïteçmúònjúónsííc_ímòvèaèèl",
    ),
    "tr": Language(
        "âçğıîöşûü",
        "ı_ınnıişgücısış_şa_ççirıırürdı_şülaşlıçeyı_öünılgöçatığiağörönızeğşttüeçeşkçşeçışiöz"
        "müüziçısrükıü__üıksüoğtçç_ıcımümşldüğıuşışğeaçyöükıyiğzığlğuuğlünüyüküğrşkşı",
    ),
    "ru": Language(
        "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
        "ова_й_анск_ся_раст_пронаенвано_керкиникоинийоркае_к_ль_в_марреалтотеол_аныь_аттаоная"
        "_нлив_тио__тосрилопр_бтрнеевпоелле_д_он_маи_лат_авмеви_и_ритвоисиктьвегоометыйбаесдо"
        "нсмоилсозаот_гдедар_огодм_ияассеимннсиирмиич_лнт_фед_уадди_зчеазурокакобруы_емгабопе"
        "санкиеой",
    ),
    "uk": Language(
        "абвгдежзийклмнопрстуфхцчшщьюяєіїґ",
        "а_ьккасьй_наановкоий_пено__с_в_кстванитиервирои_орраніів_блья_нокиаралре_мта_долатон"
        "рима_аі__т_злагок_тонк_н_гвіинпоавлеь_нелоогдалі_онсзае__л_ртеінлиомверідотрбаичисвн"
        "освспрв_адвоодмоійміме_іилннгаикн_у_ілимпач_пеобдеелняаср_руитнтісайсеідчем_евіяамес"
        "цідіцьса",
    ),
    "be": Language(
        "абвгдежзйклмнопрстуфхцчшыьэюяёіў",
        "я_на_пкараа_ы_і_ва_се_паь__аадандаалаятаныцьлі_зставль_д_наўскасарніацрыеннепр_в_кам"
        "у_кізадзм_трмаў_аб_байыяаквыае_мме_тьнлацетыляылапісачінняіц_гікннгаератбаымазвіоўчы"
        "агёнсак__уцырочазеілвекуці_лленьцаолю_ецўн_ўспзньёянтуэннтднсьсянсонх__іпой_рэ_рзьес"
        "ццядпе_ф",
    ),
    "bg": Language(
        "абвгдежзийклмнопрстуфхцчшщъьюя",
        "а_и_о_нааненра_пние_ли_сн_теинкариаттастки_иетванелатотиск_в_дил_нконоелре_клеовал_т"
        "_мвепря_исаварияро_б_аиритмаеронмедезавитрт_изорпо_здаол_рми_гв_еддоадр_сиом_оимосян"
        "ди_л_елоърсепа_фодслнкесев_чотекциакнтайемобикчево_х_ял_песансазчобрасгоидбеивиегеич"
        "иобоиавъ",
    ),
    "sr": Language(
        "абвгдежзиклмнопрстуфхцчшђјљњћџ",
        "и_а_е__праеннина_сристтекиполиреанпрваскиј_итаис_отио__ну__кнемеатовно_дкоматриндам_"
        "аритјазаедавор_москаци_твејен_имер_балонил_аом_ветајодаклатобрдесавинсиз_уро_здолеад"
        "лоикањмоњеемелекачт_ди_рој_гобнтазацсеабес_фтујуогслихирзнбаозх_амби_лвооливчекугубе"
        "утмир__ј",
    ),
    "mk": Language(
        "абвгдежзиклмнопрстуфхцчшѓѕјљњќџ",
        "и_а__пе_ниратеатентанакирист_сско_порелиетт_пртоисан_нка_имети_дноедорневадеин_кко_в"
        "ле_мотодјацитрон_он__бмаалдо_тилизнсвеар_аајитосероликировекелсеавдн_гвииобрадијзада"
        "вресроеммолаувапимњемиацомањси_ракнтголо_здисозибе_лба_фзбид_е_учеозасојктслабпеклгу"
        "ешјтглур",
    ),
    "el": Language(
        "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ",
        "ς_ουυ_ν__κ_α_πα__μανκαης_σστικαςαρίοροποραωνούτα_εαλτοκοριμαατη_ερτελολα_δοςιαπα_τρί"
        "ίαντνο_βά_νασηώνλιισακασιο_λτρε_εικάτιλεμειάολείυρδι_γαμήςπεμονιοπελετον_χαγορτσσιύ_"
        "μπάννητηι_νίενο_απδοσευλράή_κελίλλαιεπργμέινπρσο_φβαένάκνεπισα_νάςσίυντάοιγοίωγιωργε"
        "δακηομλά",
    ),
}
